import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { type Activity } from '../api-types.ts';
import { JsonText } from '../components/json-text.tsx';
import { Page } from '../components/page.tsx';
import { Panel } from '../components/panel.tsx';
import { Empty, Loaded } from '../components/states.tsx';
import { Time } from '../components/time.tsx';
import { userPath, useParam } from '../paths.ts';
import { useResource } from '../use-resource.ts';
import { Journey } from './event-journey.tsx';
import './event.css';

const LOOK_AGAIN_MS = 1000;
/** Whatever is not stored by then has to wait for more than a worker's usual pace. */
const LOOKS_MAX = 60;

/** One event beside what happened to it on its way. */
export default function Event() {
  const eventId = useParam('eventId');
  const resource = useResource<Activity>(`/api/v1/activities/${encodeURIComponent(eventId)}`);
  const isMissing = resource.data === undefined && resource.error?.status === 404;
  const looks = useLooks(isMissing, resource.error, resource.reload);

  return (
    <Page title="Event" lead={<code className="event-id">{eventId}</code>}>
      {isMissing ? (
        <NotStored isLooking={looks < LOOKS_MAX} onRetry={resource.reload} />
      ) : (
        <Loaded resource={resource}>{(activity) => <Stored activity={activity} />}</Loaded>
      )}
    </Page>
  );
}

/** Looks again after each answer that the event is not there, for a while; tells how often it did. */
function useLooks(isMissing: boolean, answer: unknown, reload: () => void): number {
  const [looks, setLooks] = useState(0);
  useEffect(() => {
    if (!isMissing || looks >= LOOKS_MAX) return;
    const timer = setTimeout(() => {
      setLooks(looks + 1);
      reload();
    }, LOOK_AGAIN_MS);
    return () => clearTimeout(timer);
    // Each answer is another object, and the next look comes a while after it.
  }, [isMissing, answer]);
  return looks;
}

function NotStored({ isLooking, onRetry }: { isLooking: boolean; onRetry: () => void }) {
  return (
    <div className="panel" role="status">
      <Empty title="Not stored yet">
        {isLooking ? (
          <p className="event-waiting">It may be on its way: looking again each second …</p>
        ) : (
          <>
            <p>
              Either no event has this id, or it waits for a worker.{' '}
              <Link href="/pipeline">The pipeline</Link> shows what is in flight, and{' '}
              <Link href="/dead-letters">dead letters</Link> what could not be stored.
            </p>
            <button type="button" className="button" onClick={onRetry}>
              Look again
            </button>
          </>
        )}
      </Empty>
    </div>
  );
}

function Stored({ activity }: { activity: Activity }) {
  const { userId, eventType, timestamp, payload, source, processing } = activity;
  const { attempts, redelivered, worker, requestId, ip, userAgent } = processing;
  return (
    <>
      <Panel title="Its way" note="From the user’s click to the database.">
        <Journey happened={timestamp} accepted={processing.receivedAt} stored={processing.processedAt} />
      </Panel>
      <div className="event-columns">
        <Panel title="What happened">
          <dl className="facts">
            <dt>Type</dt>
            <dd>
              <span className="tag">{eventType}</span>
            </dd>
            <dt>User</dt>
            <dd>
              <Link href={userPath(userId)}>{userId}</Link>
            </dd>
            <dt>When</dt>
            <dd>
              <Time at={timestamp} />
            </dd>
            <dt>Came by</dt>
            <dd>{source}</dd>
          </dl>
          <h3>Payload</h3>
          <JsonText value={payload} label="Payload" />
        </Panel>
        <Panel title="How it was processed">
          <dl className="facts">
            <dt>Attempts</dt>
            <dd>{attempts}</dd>
            <dt>Redelivered</dt>
            <dd>{redelivered ? 'yes' : 'no'}</dd>
            <dt>Worker</dt>
            <dd>{worker}</dd>
            <dt>Request</dt>
            <dd>{requestId ?? '–'}</dd>
            <dt>Address</dt>
            <dd>{ip ?? '–'}</dd>
            <dt>Client</dt>
            <dd>{userAgent ?? '–'}</dd>
          </dl>
        </Panel>
      </div>
    </>
  );
}
