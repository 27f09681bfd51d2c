import { Link } from 'wouter';
import { type Overview } from '../api-types.ts';
import { Change } from '../components/change.tsx';
import { Metric } from '../components/metric.tsx';
import { Page } from '../components/page.tsx';
import { Empty, Loaded } from '../components/states.tsx';
import { formatCount, formatCounted, formatHour, formatRate, formatUtcDay } from '../format.ts';
import { useResource } from '../use-resource.ts';
import { Frequencies } from './overview-frequencies.tsx';
import { RangePicker } from './overview-range-picker.tsx';
import { type Range, presets, useRange } from './overview-range.ts';
import { Trend } from './overview-trend.tsx';
import './overview.css';

const REFRESH_MS = 30_000;

export default function OverviewPage() {
  const [range, choose] = useRange();
  const { from, to, interval } = range;
  const query = new URLSearchParams({ from: from.toISOString(), to: to.toISOString(), interval });
  const overview = useResource<Overview>(`/api/v1/stats/overview?${query}`, {
    everyMs: REFRESH_MS,
    keepPrevious: true,
  });
  return (
    <Page title="Overview" lead={describe(range)} actions={<RangePicker range={range} onChoose={choose} />}>
      <Loaded resource={overview}>
        {(data) => (
          <div className="stack" aria-busy={overview.isPrevious}>
            {data.uncounted > 0 && <Uncounted hours={data.uncounted} />}
            {data.total === 0 && data.previous.total === 0 ? <Nothing /> : <Numbers overview={data} />}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function describe({ preset, from, to }: Range): string {
  if (preset !== undefined)
    return `The last ${presets[preset].name}, beside the ${presets[preset].name} before.`;
  const [first, last] = [from, new Date(to.getTime() - 1)].map(formatUtcDay);
  return `${first} to ${last} (UTC), beside as many days before.`;
}

function Uncounted({ hours }: { hours: number }) {
  return (
    <p>
      <span className="tag" data-tone="warn">
        {formatCounted(hours, 'hour')} {hours === 1 ? 'is' : 'are'} still being counted
      </span>
    </p>
  );
}

function Nothing() {
  return (
    <div className="panel">
      <Empty title="No events in this time">
        <p>
          Choose a longer one, <Link href="/send">send an event</Link>, or make some in the{' '}
          <Link href="/shop">demo shop</Link>.
        </p>
      </Empty>
    </div>
  );
}

function Numbers({ overview }: { overview: Overview }) {
  const { total, users, previous, interval, series, byType, topPages } = overview;
  const busiest = series.reduce((most, bucket) => (bucket.count > most.count ? bucket : most));
  return (
    <>
      <dl className="metrics">
        <Metric name="Events" value={formatCount(total)} note={<Before from={previous.total} to={total} />} />
        <Metric
          name="Unique users"
          value={formatCount(users)}
          note={<Before from={previous.users} to={users} />}
        />
        <Metric
          name="Events per user"
          value={users === 0 ? '–' : formatRate(total / users)}
          note={previous.users > 0 && `${formatRate(previous.total / previous.users)} before`}
        />
        <Metric
          name={interval === 'hour' ? 'Busiest hour' : 'Busiest day'}
          value={formatCount(busiest.count)}
          note={interval === 'hour' ? formatHour(busiest.start) : formatUtcDay(busiest.start)}
        />
      </dl>
      <div className="columns">
        <Trend title="Events" of="count" overview={overview} />
        <Trend title="Unique users" of="users" overview={overview} />
      </div>
      <div className="columns">
        <Frequencies
          title="By type"
          of="Type"
          rows={byType.map(({ eventType, count }) => ({ name: eventType, count }))}
          before={previous.byType.map(({ eventType, count }) => ({ name: eventType, count }))}
          hrefOf={(eventType) => `/live?${new URLSearchParams({ eventType })}`}
        />
        <Frequencies
          title="Top pages"
          of="Page"
          rows={topPages.map(({ page, count }) => ({ name: page, count }))}
          before={previous.topPages.map(({ page, count }) => ({ name: page, count }))}
        />
      </div>
    </>
  );
}

function Before({ from, to }: { from: number; to: number }) {
  return (
    <>
      <Change from={from} to={to} /> from {formatCount(from)}
    </>
  );
}
