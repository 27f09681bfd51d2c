import { memo } from 'react';
import { Link } from 'wouter';
import { type StreamedEvent } from '../api-types.ts';
import { Time } from '../components/time.tsx';
import { formatMs } from '../format.ts';
import { eventPath, userPath } from '../paths.ts';
import { type Entry } from '../use-stream.ts';

const names = ['Stored at', 'Type', 'User', 'Page', 'Took'];

export function LiveTable({ entries }: { entries: readonly Entry[] }) {
  return (
    <div className="table-scroll" role="group" aria-label="Events, newest first" tabIndex={0}>
      <table className="live-table">
        <caption className="visually-hidden">Events, newest first</caption>
        <thead>
          <tr>
            {names.map((name) => (
              <th key={name} scope="col" className={name === 'Took' ? 'number' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) =>
            entry.kind === 'gap' ? <Gap key={entry.key} /> : <Row key={entry.key} event={entry.event} />,
          )}
        </tbody>
      </table>
    </div>
  );
}

function Gap() {
  return (
    <tr className="live-gap">
      <td colSpan={names.length}>Events are left out here: more were stored than a stream carries.</td>
    </tr>
  );
}

/** Once shown it never changes, however many come after it. */
const Row = memo(function Row({ event }: { event: StreamedEvent }) {
  const { eventId, eventType, userId, page, receivedAt, processedAt } = event;
  return (
    <tr>
      <td>
        <Link href={eventPath(eventId)} title={`Event ${eventId}`}>
          <Time at={processedAt} short />
        </Link>
      </td>
      <td>
        <span className="tag live-cut" title={eventType}>
          {eventType}
        </span>
      </td>
      <td>
        <Link href={userPath(userId)} className="live-cut" title={userId}>
          {userId}
        </Link>
      </td>
      <td className="wide">
        <span className="live-cut live-page" title={page ?? undefined}>
          {page ?? <span className="muted">–</span>}
        </span>
      </td>
      <td className="number muted">{formatMs(Date.parse(processedAt) - Date.parse(receivedAt))}</td>
    </tr>
  );
});
