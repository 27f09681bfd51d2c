import { type SubmitEvent, useState } from 'react';
import { useSearchParams } from 'wouter';

/** What to look for is kept in the address of the page, so that it can be sent to somebody. */
export function LiveFilter() {
  const [search, setSearch] = useSearchParams();
  const [eventType, setEventType] = useState(search.get('eventType') ?? '');
  const [userId, setUserId] = useState(search.get('userId') ?? '');
  const show = (wanted: Record<string, string>) =>
    setSearch(Object.entries(wanted).filter(([, value]) => value !== ''));
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    show({ eventType, userId });
  };
  return (
    <form className="live-filter" onSubmit={submit} role="search" aria-label="Events">
      <label className="field">
        Event type
        <input
          value={eventType}
          placeholder="Any"
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => setEventType(event.target.value)}
        />
      </label>
      <label className="field">
        User
        <input
          value={userId}
          placeholder="Any"
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => setUserId(event.target.value)}
        />
      </label>
      <div className="buttons">
        <button type="submit" className="button">
          Filter
        </button>
        {search.size > 0 && (
          <button type="button" className="button quiet" onClick={() => show({})}>
            Clear
          </button>
        )}
      </div>
    </form>
  );
}
