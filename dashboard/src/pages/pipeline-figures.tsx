import { type PipelineReport } from '../api-types.ts';
import { Metric } from '../components/metric.tsx';
import { formatCount, formatMs, formatRate } from '../format.ts';

export function Figures({ report }: { report: PipelineReport }) {
  const { rates, queue, latencies, limiter } = report;
  const { p50Ms, p99Ms } = latencies.acceptToStored;
  return (
    <dl className="metrics">
      <Metric
        name="Accepted a second"
        value={formatRate(rates.accepted)}
        note={`${formatRate(rates.stored)} stored`}
      />
      <Metric
        name="Waiting in the queue"
        value={queue.depth === null ? '–' : formatCount(queue.depth)}
        note={queue.depth === null ? 'The queue does not answer' : 'messages'}
        {...(queue.depth === null ? { tone: 'bad' } : {})}
      />
      <Metric
        name="Accepted to stored"
        value={formatMs(p50Ms)}
        note={p99Ms === null ? 'none of late' : `${formatMs(p99Ms)} for the slowest in a hundred`}
      />
      <Metric
        name="Past the rate limit"
        value={formatCount(limiter.limited)}
        note={limiter.degraded ? 'Redis is away: each process counts alone' : 'requests refused'}
        {...(limiter.degraded ? { tone: 'warn' } : {})}
      />
    </dl>
  );
}
