import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { ApiError, callApi, type FieldError } from '../api.ts';
import { type DeadLetter } from '../api-types.ts';
import { Confirm } from '../components/confirm.tsx';
import { Empty, Loaded } from '../components/states.tsx';
import { Time } from '../components/time.tsx';
import { useResource } from '../use-resource.ts';
import { type Told } from './dead-letter-actions.tsx';

interface LetterProps {
  id: string;
  /** It was replayed or purged, and is gone. */
  onDone: (told: Told) => void;
}

/** One dead letter with its bytes. */
export function Letter({ id, onDone }: LetterProps) {
  const resource = useResource<DeadLetter>(`/api/v1/dead-letters/${encodeURIComponent(id)}`);
  const section = useRef<HTMLElement>(null);
  // Where the window is narrow it stands in the place of the list.
  useEffect(() => section.current?.focus(), []);
  const isGone = resource.data === undefined && resource.error?.status === 404;
  return (
    <section ref={section} className="panel letter" aria-label="The dead letter" tabIndex={-1}>
      <Link href="/dead-letters" className="letter-back">
        Close
      </Link>
      {isGone ? (
        <Empty title="It is gone">
          <p>No dead letter of this id is kept: it was replayed or purged.</p>
        </Empty>
      ) : (
        <Loaded resource={resource}>{(letter) => <Shown letter={letter} onDone={onDone} />}</Loaded>
      )}
    </section>
  );
}

function Shown({ letter, onDone }: { letter: DeadLetter; onDone: (told: Told) => void }) {
  const { reason, error, details, eventId, eventType, attempts, diedAt, worker } = letter;
  return (
    <>
      <h2>{eventType ?? 'An event of unknown type'}</h2>
      <div className="letter-why">
        <span className="tag" data-tone="bad">
          {reason}
        </span>
        {details.length === 0 ? <p>{error}</p> : <Faults details={details} />}
      </div>
      <dl className="facts">
        <dt>Died</dt>
        <dd>
          <Time at={diedAt} />
        </dd>
        <dt>Event id</dt>
        <dd>{eventId ?? '–'}</dd>
        <dt>Attempts</dt>
        <dd>{attempts}</dd>
        <dt>Worker</dt>
        <dd>{worker}</dd>
      </dl>
      <Editor letter={letter} onDone={onDone} />
    </>
  );
}

function Faults({ details }: { details: readonly FieldError[] }) {
  return (
    <ul>
      {details.map(({ field, message }) => (
        <li key={`${field} ${message}`}>
          <code>{field || 'body'}</code> {message}
        </li>
      ))}
    </ul>
  );
}

/** The bytes, to be mended and queued again, or removed. */
function Editor({ letter, onDone }: { letter: DeadLetter; onDone: (told: Told) => void }) {
  const { id, body, bodyBase64 } = letter;
  const original = body === null ? '' : prettyOf(body);
  const [text, setText] = useState(original);
  const [fault, setFault] = useState<ApiError>();
  const [isBusy, setBusy] = useState(false);
  const path = `/api/v1/dead-letters/${encodeURIComponent(id)}`;
  const isEdited = text !== original;

  async function act(call: () => Promise<Told>): Promise<void> {
    setBusy(true);
    try {
      onDone(await call());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setFault(error);
      setBusy(false);
    }
  }
  const replay = async (): Promise<Told> => {
    const edited = isEdited ? { text } : {};
    const { eventIds } = await callApi<{ eventIds: string[] }>(`${path}/replay`, {
      method: 'POST',
      ...edited,
    });
    return { tone: 'good', text: 'Replayed, and on its way again:', eventIds };
  };
  const purge = async (): Promise<Told> => {
    await callApi(path, { method: 'DELETE' });
    return { tone: 'good', text: 'The letter was purged.' };
  };

  return (
    <>
      <label className="field">
        The event, as JSON
        <textarea
          rows={14}
          spellCheck={false}
          value={text}
          aria-invalid={fault !== undefined}
          aria-describedby="letter-fault"
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      {bodyBase64 !== null && (
        <p className="muted">
          Its bytes are no text. As Base64: <code className="letter-bytes">{bodyBase64}</code>
        </p>
      )}
      <div id="letter-fault" role="status">
        {fault && <Fault fault={fault} />}
      </div>
      <div className="buttons">
        <button type="button" className="button primary" disabled={isBusy} onClick={() => void act(replay)}>
          {isEdited ? 'Replay as edited' : 'Replay as it is'}
        </button>
        {isEdited && (
          <button type="button" className="button" onClick={() => setText(original)}>
            Undo the edit
          </button>
        )}
        <PurgeButton isBusy={isBusy} onPurge={() => void act(purge)} />
      </div>
    </>
  );
}

function PurgeButton({ isBusy, onPurge }: { isBusy: boolean; onPurge: () => void }) {
  const [isAsking, setAsking] = useState(false);
  return (
    <>
      <button type="button" className="button danger" disabled={isBusy} onClick={() => setAsking(true)}>
        Purge …
      </button>
      {isAsking && (
        <Confirm
          title="Purge this letter?"
          action="Purge for good"
          isDanger
          onConfirm={() => {
            setAsking(false);
            onPurge();
          }}
          onCancel={() => setAsking(false)}
        >
          <p>It is removed with the event in it. This cannot be undone.</p>
        </Confirm>
      )}
    </>
  );
}

function Fault({ fault }: { fault: ApiError }) {
  return (
    <>
      <p className="field-error">
        {fault.title}. {fault.message}
      </p>
      {fault.details.map(({ field, message }) => (
        <p key={`${field} ${message}`} className="field-error">
          <code>{field || 'body'}</code> {message}
        </p>
      ))}
    </>
  );
}

/** Laid out for reading, unless that would change more than the layout, such as a number that a double cannot hold. */
function prettyOf(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    return JSON.stringify(value) === body ? JSON.stringify(value, null, 2) : body;
  } catch {
    return body;
  }
}
