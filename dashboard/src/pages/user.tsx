import { type Activity, type ActivityPage } from '../api-types.ts';
import { Metric } from '../components/metric.tsx';
import { Page } from '../components/page.tsx';
import { Panel } from '../components/panel.tsx';
import { Empty, ErrorNotice, Loaded } from '../components/states.tsx';
import { Time } from '../components/time.tsx';
import { formatCount, formatCounted } from '../format.ts';
import { useParam } from '../paths.ts';
import { type Pages, usePages } from '../use-pages.ts';
import { useResource } from '../use-resource.ts';
import { Link } from 'wouter';
import { userPath } from '../paths.ts';
import { Timeline } from './user-timeline.tsx';
import { UserSearch } from './user-search.tsx';
import './user.css';

/** What one user did, newest first; without an id, whom there is to look at. */
export default function User() {
  const userId = useParam('userId');
  return userId === '' ? <Users /> : <OneUser userId={userId} />;
}

function Users() {
  const latest = useResource<ActivityPage>('/api/v1/activities?limit=200');
  return (
    <Page
      title="Users"
      lead="Open a user by id to see everything that is kept of them."
      actions={<UserSearch />}
    >
      <Panel title="Seen lately" note="The users of the newest 200 events.">
        <Loaded resource={latest}>{({ activities }) => <Lately activities={activities} />}</Loaded>
      </Panel>
    </Page>
  );
}

function Lately({ activities }: { activities: Activity[] }) {
  if (activities.length === 0)
    return (
      <Empty title="Nobody yet">
        <p>
          No event is stored. <Link href="/send">Send one</Link>, or look around in{' '}
          <Link href="/shop">the shop</Link>.
        </p>
      </Empty>
    );
  const newest = new Map<string, { last: Activity; count: number }>();
  for (const activity of activities) {
    const known = newest.get(activity.userId);
    newest.set(activity.userId, { last: known?.last ?? activity, count: (known?.count ?? 0) + 1 });
  }
  return (
    <ul className="user-cards">
      {[...newest].map(([userId, { last, count }]) => (
        <li key={userId}>
          <Link href={userPath(userId)}>{userId}</Link>
          <span className="muted">
            {formatCounted(count, 'event')}, last <span className="tag">{last.eventType}</span>
          </span>
          <Time at={last.timestamp} />
        </li>
      ))}
    </ul>
  );
}

function OneUser({ userId }: { userId: string }) {
  const pages = usePages<Activity>(
    '/api/v1/activities',
    'activities',
    `?userId=${encodeURIComponent(userId)}`,
  );
  return (
    <Page title={userId} lead="Everything that is kept of this user, newest first." actions={<UserSearch />}>
      <Loaded resource={pages.first}>{() => <Activities userId={userId} pages={pages} />}</Loaded>
    </Page>
  );
}

function Activities({ userId, pages }: { userId: string; pages: Pages<Activity> }) {
  const { items, hasMore } = pages;
  const newest = items[0];
  const oldest = items.at(-1);
  if (!newest || !oldest)
    return (
      <div className="panel">
        <Empty title="Nothing is kept of this user">
          <p>
            No stored event has the user id <code>{userId}</code>. Ids are compared letter by letter.
          </p>
        </Empty>
      </div>
    );
  const scope = hasMore ? 'of what is loaded' : undefined;
  return (
    <>
      <dl className="metrics user-metrics">
        <Metric name="Events" value={`${formatCount(items.length)}${hasMore ? '+' : ''}`} note={scope} />
        <Metric name="First seen" value={<Time at={oldest.timestamp} />} note={scope} />
        <Metric name="Last seen" value={<Time at={newest.timestamp} />} />
      </dl>
      <div className="user-columns">
        <Panel title="Timeline">
          <Timeline activities={items} />
          {pages.error && <ErrorNotice error={pages.error} onRetry={pages.loadMore} />}
          {hasMore && (
            <button type="button" className="button" disabled={pages.isLoading} onClick={pages.loadMore}>
              {pages.isLoading ? 'Loading …' : 'Load older events'}
            </button>
          )}
        </Panel>
        <Panel title="By type" note={scope}>
          <Types activities={items} />
        </Panel>
      </div>
    </>
  );
}

function Types({ activities }: { activities: Activity[] }) {
  const counts = new Map<string, number>();
  for (const { eventType } of activities) counts.set(eventType, (counts.get(eventType) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const longest = sorted[0]?.[1] ?? 1;
  return (
    <ul className="user-types">
      {sorted.map(([eventType, count]) => (
        <li key={eventType}>
          <div className="bar" style={{ inlineSize: `${(count / longest) * 100}%` }} />
          <span className="bar-name" title={eventType}>
            {eventType}
          </span>
          <span className="number">{formatCount(count)}</span>
        </li>
      ))}
    </ul>
  );
}
