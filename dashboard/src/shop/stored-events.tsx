import { Link } from 'wouter';
import { Panel } from '../components/panel.tsx';
import { ErrorNotice } from '../components/states.tsx';
import { formatMs } from '../format.ts';
import { eventPath, userPath } from '../paths.ts';
import { type Entry, useStream } from '../use-stream.ts';

/** Older ones are on the visitor's own page. */
const SHOWN_MAX = 14;

/** What the visitor did, as it is in the database by now. */
export function StoredEvents({ visitor }: { visitor: string }) {
  const { entries, error, reconnect } = useStream(`?userId=${encodeURIComponent(visitor)}`, false);
  return (
    <aside className="shop-stored">
      <Panel title="Stored by now" note="Straight from the database.">
        {error && <ErrorNotice error={error} onRetry={reconnect} />}
        <ol aria-label="Stored events, newest first">
          {entries
            .slice(0, SHOWN_MAX)
            .map((entry) => entry.kind === 'event' && <Stored key={entry.key} entry={entry} />)}
        </ol>
        {entries.length === 0 && (
          <p className="muted">Nothing yet: the tracker sends what you do every two seconds.</p>
        )}
        <p className="muted shop-visitor">
          You are <Link href={userPath(visitor)}>{visitor}</Link>
        </p>
      </Panel>
    </aside>
  );
}

function Stored({ entry: { event } }: { entry: Extract<Entry, { kind: 'event' }> }) {
  const { eventId, eventType, page, receivedAt, processedAt } = event;
  return (
    <li>
      <Link href={eventPath(eventId)}>{eventType}</Link>
      <span className="muted">{page}</span>
      <span className="number muted" title="From accepted to stored">
        {formatMs(Date.parse(processedAt) - Date.parse(receivedAt))}
      </span>
    </li>
  );
}
