import { useMemo } from 'react';
import { type PipelineReport } from '../api-types.ts';
import { Chart, type Line, type LineColor } from '../components/chart.tsx';
import { formatCount, formatMs, formatRate, formatTimeOfDay } from '../format.ts';
import { HISTORY_MINUTES, type Sample } from './pipeline-history.ts';

type Reading = [name: string, color: LineColor, read: (report: PipelineReport) => number | null];

const rates: Reading[] = [
  ['Accepted', 'line-1', ({ rates }) => rates.accepted],
  ['Stored', 'line-2', ({ rates }) => rates.stored],
  ['Duplicates', 'line-3', ({ rates }) => rates.duplicate],
  ['Dead letters', 'line-4', ({ rates }) => rates.dead],
];
const queue: Reading[] = [
  ['Waiting', 'line-1', ({ queue }) => queue.depth],
  ['With workers', 'line-2', ({ queue }) => queue.handedOut],
  ['On their way in', 'line-3', ({ queue }) => queue.publishing],
];
const latency: Reading[] = [
  ['p50', 'line-1', ({ latencies }) => latencies.acceptToStored.p50Ms],
  ['p95', 'line-2', ({ latencies }) => latencies.acceptToStored.p95Ms],
  ['p99', 'line-3', ({ latencies }) => latencies.acceptToStored.p99Ms],
];
const outside: Reading[] = [
  ['Broker confirms (p95)', 'line-1', ({ latencies }) => latencies.confirm.p95Ms],
  ['Database writes (p95)', 'line-2', ({ latencies }) => latencies.write.p95Ms],
];

const perSecond = (value: number) => `${formatRate(value)}/s`;

const charts = [
  { title: 'Events', note: 'a second', readings: rates, formatValue: perSecond },
  { title: 'Queue', note: 'messages', readings: queue, formatValue: formatCount },
  { title: 'From accepted to stored', note: 'milliseconds', readings: latency, formatValue: formatMs },
  { title: 'Broker and database', note: 'milliseconds', readings: outside, formatValue: formatMs },
];

/** What was read while the page was open, for the last minutes of it. */
export function PipelineCharts({ samples }: { samples: readonly Sample[] }) {
  const times = useMemo(() => samples.map(({ at }) => at), [samples]);
  return (
    <div className="columns" role="group" aria-label={`The last ${HISTORY_MINUTES} minutes`}>
      {charts.map(({ title, note, readings, formatValue }) => (
        <Chart
          key={title}
          title={title}
          note={note}
          times={times}
          lines={linesOf(readings, samples)}
          formatTime={formatTimeOfDay}
          formatValue={formatValue}
          isRunning
        />
      ))}
    </div>
  );
}

function linesOf(readings: readonly Reading[], samples: readonly Sample[]): Line[] {
  return readings.map(([name, color, read]) => ({
    name,
    color,
    values: samples.map(({ report }) => report && read(report)).map((value) => value ?? null),
  }));
}
