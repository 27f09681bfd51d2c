import { Fragment } from 'react';
import { Link } from 'wouter';
import { type Activity } from '../api-types.ts';
import { JsonText } from '../components/json-text.tsx';
import { Time } from '../components/time.tsx';
import { eventPath } from '../paths.ts';

const longDay = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });

/** Events under the day on which they happened, in the reader's time zone. */
export function Timeline({ activities }: { activities: readonly Activity[] }) {
  return (
    <div className="timeline">
      {byDay(activities).map(([day, events]) => (
        <section key={day} aria-label={day}>
          <h3>{day}</h3>
          <ol>
            {events.map((activity) => (
              <Entry key={activity.eventId} activity={activity} />
            ))}
          </ol>
        </section>
      ))}
    </div>
  );
}

function byDay(activities: readonly Activity[]): [day: string, events: Activity[]][] {
  const days = new Map<string, Activity[]>();
  for (const activity of activities) {
    const day = longDay.format(new Date(activity.timestamp));
    days.set(day, [...(days.get(day) ?? []), activity]);
  }
  return [...days];
}

function Entry({ activity }: { activity: Activity }) {
  const { eventId, eventType, timestamp, payload } = activity;
  return (
    <li>
      <details>
        <summary>
          <Time at={timestamp} short />
          <span className="tag">{eventType}</span>
          <Gist payload={payload} />
        </summary>
        <JsonText value={payload} label={`Payload of ${eventType}`} />
        <Link href={eventPath(eventId)}>How it was processed</Link>
      </details>
    </li>
  );
}

/** The first few fields in one line. */
function Gist({ payload }: { payload: Record<string, unknown> }) {
  const plain = Object.entries(payload).filter(([, value]) => value !== '' && typeof value !== 'object');
  return (
    <span className="timeline-gist">
      {plain.slice(0, 3).map(([name, value], index) => (
        <Fragment key={name}>
          {index > 0 && ' · '}
          {name} <b>{String(value)}</b>
        </Fragment>
      ))}
    </span>
  );
}
