import { memo } from 'react';
import { Link } from 'wouter';
import { type StreamedEvent } from '../api-types.ts';
import { Time } from '../components/time.tsx';
import { formatMs } from '../format.ts';
import { eventPath, userPath } from '../paths.ts';
import { type Stream } from '../use-stream.ts';

const names = ['Stored at', 'Type', 'User', 'Page', 'Took'];

export function LiveTable({ entries, newest }: Pick<Stream, 'entries' | 'newest'>) {
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
          {entries.map((entry, index) =>
            entry.kind === 'gap' ? (
              <Gap key={entry.key} />
            ) : (
              <Row key={entry.key} event={entry.event} isNewest={index < newest} />
            ),
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

/** Drawn when it comes and when the next ones do, however many come after them. */
const Row = memo(function Row({ event, isNewest }: { event: StreamedEvent; isNewest: boolean }) {
  const { eventId, eventType, userId, page, receivedAt, processedAt } = event;
  return (
    <tr data-newest={isNewest}>
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
