import { type Store } from '@event-tracker/consumer/store/store';
import { LATENCY_BUCKETS_S } from '@event-tracker/shared/metrics';
import {
  addCounts,
  type Counts,
  type LatencyName,
  mapCounts,
  noCounts,
  type ProcessReport,
} from '@event-tracker/shared/process-report';
import { type Queue } from '@event-tracker/shared/queue/queue';

/** A process that reported no later than this is up to date. */
const FRESH_MS = 3000;
/** Longer than `FRESH_MS`: every report is then younger than the last event that any of them tells of. */
const QUIET_MS = 5000;
/** A process that was silent for so long is gone; by then the broker has given its messages to others. */
const SILENT_MS = 45_000;

interface Quantiles {
  count: number;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

type Sums = Pick<Counts, 'accepted' | 'stored' | 'duplicate' | 'dead'>;

/** accepted = stored + duplicate + dead + inFlight + (difference ?? 0), always. */
export interface PipelineReport extends Sums {
  inFlight: number;
  /** What is missing (or too much) when nothing is in flight; null while something may be. */
  difference: number | null;
  settled: boolean;
  unconfirmed: number;
  repeated: number;
  redelivered: number;
  /** In messages: waiting in the queue (null when it does not answer), handed out to workers, on their way into it. */
  queue: { depth: number | null; handedOut: number; publishing: number };
  /** Events a second, over the last seconds. */
  rates: Sums;
  latencies: Record<LatencyName, Quantiles>;
  limiter: { limited: number; degraded: boolean };
  processes: ProcessSummary[];
}

interface ProcessSummary extends Partial<Counts> {
  service: string;
  name: string;
  state: 'running' | 'silent' | 'ended';
  startedAt: Date;
  reportedAt: Date;
  inFlight: number;
}

export interface Pipeline {
  /** Rejects with StoreUnavailable while the store is away. */
  read(): Promise<PipelineReport>;
}

/** The sum of what all processes have reported, beside what the queue says now. */
export function createPipeline(store: Pick<Store, 'listProcesses'>, queue: Pick<Queue, 'depth'>): Pipeline {
  return {
    async read() {
      const [{ processes, folded }, depth] = await Promise.all([
        store.listProcesses(),
        queue.depth().catch(() => null),
      ]);
      return summarize(processes, folded, depth, Date.now());
    },
  };
}

/** Exported for its tests. */
export function summarize(
  processes: readonly ProcessReport[],
  folded: Counts,
  depth: number | null,
  now: number,
): PipelineReport {
  const sum = processes.map(({ counts }) => counts).reduce(addCounts, folded);
  const live = processes.filter((process) => stateOf(process, now) === 'running');
  const inFlightOf = (service: string) =>
    live
      .filter((process) => process.service === service)
      .reduce((total, { inFlight }) => total + inFlight, 0);
  const settled = depth === 0 && live.every((process) => isQuiet(process, now));
  const rest = sum.accepted - sum.stored - sum.duplicate - sum.dead;
  const exact = live.map((process) => process.rates).reduce(addCounts, noCounts());
  const rates = mapCounts((name) => Math.round(exact[name] * 10) / 10);
  return {
    ...sumsOf(sum),
    inFlight: settled ? 0 : rest,
    difference: settled ? rest : null,
    settled,
    unconfirmed: sum.unconfirmed,
    repeated: sum.repeated,
    redelivered: sum.redelivered,
    queue: { depth, handedOut: inFlightOf('worker'), publishing: inFlightOf('api') },
    rates: sumsOf(rates),
    latencies: {
      confirm: quantiles(live, 'confirm'),
      write: quantiles(live, 'write'),
      acceptToStored: quantiles(live, 'acceptToStored'),
    },
    limiter: { limited: sum.rateLimited, degraded: live.some(({ limiterDegraded }) => limiterDegraded) },
    processes: processes.map((process) => summaryOf(process, now)),
  };
}

function stateOf({ ended, reportedAt }: ProcessReport, now: number): ProcessSummary['state'] {
  if (ended) return 'ended';
  return now - reportedAt.getTime() < SILENT_MS ? 'running' : 'silent';
}

/**
 * Nothing was counted in the time before its last report, and nothing can have been since that another report does
 * not tell of: what was accepted before was in none of these hands, and nothing waited in the queue.
 */
function isQuiet({ service, inFlight, depth, quietMs, reportedAt }: ProcessReport, now: number): boolean {
  const sawEmptyQueue = service === 'api' || depth === 0;
  return sawEmptyQueue && inFlight === 0 && quietMs >= QUIET_MS && now - reportedAt.getTime() < FRESH_MS;
}

function summaryOf(process: ProcessReport, now: number): ProcessSummary {
  const { service, name, startedAt, reportedAt, inFlight, counts } = process;
  const { accepted, unconfirmed, rateLimited, ...ofWorker } = counts;
  const own = service === 'api' ? { accepted, unconfirmed, rateLimited } : ofWorker;
  return { service, name, state: stateOf(process, now), startedAt, reportedAt, inFlight, ...own };
}

function sumsOf({ accepted, stored, duplicate, dead }: Counts): Sums {
  return { accepted, stored, duplicate, dead };
}

function quantiles(processes: readonly ProcessReport[], name: LatencyName): Quantiles {
  const buckets = [...LATENCY_BUCKETS_S, Infinity].map((_bound, index) =>
    processes.reduce((total, { latencies }) => total + (latencies[name]?.[index] ?? 0), 0),
  );
  const count = buckets.reduce((total, one) => total + one, 0);
  const at = (share: number) => quantileMs(buckets, count * share);
  return { count, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
}

/** Within a bucket the values are taken for evenly spread, as Prometheus does. */
function quantileMs(buckets: readonly number[], rank: number): number | null {
  if (rank === 0) return null;
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    const from = LATENCY_BUCKETS_S[index - 1] ?? 0;
    // Beyond the last bound nothing more is known.
    const to = LATENCY_BUCKETS_S[index] ?? from;
    if (below + count >= rank)
      return Math.round((from + ((to - from) * (rank - below)) / count) * 100_000) / 100;
    below += count;
  }
  return null;
}
