import { type SubmitEvent, useState } from 'react';
import { keepKey, useKeyState } from './admin-key.ts';
import { Page } from './components/page.tsx';

/** Stands where the page would, until the API takes the key. */
export function KeyPrompt({ why }: { why: string }) {
  const { key } = useKeyState();
  const [entered, setEntered] = useState('');
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (entered.trim() !== '') keepKey(entered.trim());
  };

  return (
    <Page title="Admin key">
      <form className="panel key-prompt" onSubmit={submit}>
        <p>
          {key === ''
            ? 'The API shows events only to whoever has its admin key.'
            : 'The API did not take this key.'}
        </p>
        {/* The server says it for programs; without a key of its own it says what has to be set there. */}
        <p className="muted">The API says: {why}</p>
        <label className="field">
          Admin key
          <input
            type="password"
            name="admin-key"
            autoComplete="off"
            spellCheck={false}
            required
            autoFocus
            value={entered}
            aria-describedby="key-kept"
            onChange={(event) => setEntered(event.target.value)}
          />
        </label>
        <p id="key-kept" className="muted">
          It is the <code>ADMIN_KEY</code> of the API. This tab keeps it until it is closed, or until you
          choose “Forget the admin key”.
        </p>
        <div className="buttons">
          <button type="submit" className="button primary">
            Use this key
          </button>
        </div>
      </form>
    </Page>
  );
}
