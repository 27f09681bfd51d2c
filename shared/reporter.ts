import { hostname } from 'node:os';
import { type Histogram } from 'prom-client';
import { createId } from './id.ts';
import { type Logger } from './logger.ts';
import { readBuckets } from './metrics.ts';
import {
  type Counts,
  countNames,
  type LatencyName,
  mapCounts,
  noCounts,
  type ProcessReport,
} from './process-report.ts';
import { within } from './queue/within.ts';

const INTERVAL_MS = 1000;
/** Rates and latencies are those of so many intervals. */
const WINDOW = 10;
/** The last report must not hold up the shutdown of a process whose store is away. */
const LAST_REPORT_TIMEOUT_MS = 1000;
const FOLD_EVERY_MS = 60_000;
/** A process that was silent for so long is taken for ended; should it come back, it goes on under a new id. */
const FOLD_SILENT_AFTER_MS = 60 * 60 * 1000;

/** What a process measures for a report. */
export type Measured = Pick<ProcessReport, 'counts' | 'inFlight' | 'depth' | 'limiterDegraded'>;

export interface ReporterParts {
  service: ProcessReport['service'];
  name?: string;
  latencies: Partial<Record<LatencyName, Histogram>>;
  measure: () => Measured;
}

/** Where reports are kept; `Store` of the consumer says what it promises. */
export interface ReportStore {
  reportProcess(report: ProcessReport, isFirst: boolean): Promise<boolean>;
  foldProcesses(silentSince: Date): Promise<void>;
}

export interface Reporter {
  /** Sends the last report, with all that was counted. */
  stop(): Promise<void>;
}

/** Reports once a second, never two reports at a time. What fails is left to the next report, which tells all. */
export function startReporter(parts: ReporterParts, store: ReportStore, logger: Logger): Reporter {
  const identity = {
    service: parts.service,
    name: parts.name ?? `${hostname()}:${process.pid}`,
    startedAt: new Date(),
  };
  const observe = createObserver(parts);
  let id = createId();
  let isFirst = true;
  /** What is counted under an earlier id. */
  let before = noCounts();
  let saved = noCounts();
  let foldedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;

  async function report(ended: boolean): Promise<void> {
    const { counts, ...observed } = await observe();
    const own = mapCounts((name) => counts[name] - before[name]);
    const whole = { id, ...identity, reportedAt: new Date(), ended, counts: own, ...observed };
    if (await store.reportProcess(whole, isFirst)) {
      [isFirst, saved] = [false, counts];
      return;
    }
    [id, isFirst, before] = [createId(), true, saved];
    if (ended) await report(true);
  }

  async function tick(): Promise<void> {
    try {
      await report(false);
      if (performance.now() - foldedAt > FOLD_EVERY_MS) {
        foldedAt = performance.now();
        await store.foldProcesses(new Date(Date.now() - FOLD_SILENT_AFTER_MS));
      }
    } catch (error) {
      logger.debug({ err: error }, 'the report of this process was not kept');
    }
    if (!stopping) timer = setTimeout(() => void (running = tick()), INTERVAL_MS).unref();
  }
  let running = tick();

  return {
    async stop() {
      stopping = true;
      clearTimeout(timer);
      const last = running.then(() => report(true));
      await within(LAST_REPORT_TIMEOUT_MS, last).catch((error: unknown) =>
        logger.warn({ err: error }, 'what this process counted last is not kept'),
      );
    },
  };
}

interface Moment {
  at: number;
  counts: Counts;
  latencies: [LatencyName, number[]][];
}

/** Measures, and compares with what was measured in the intervals before. */
function createObserver({ measure, latencies }: ReporterParts) {
  const histograms = Object.entries(latencies) as [LatencyName, Histogram][];
  let window: Moment[] = [];
  let activeAt = performance.now();

  return async (): Promise<Measured & Pick<ProcessReport, 'quietMs' | 'rates' | 'latencies'>> => {
    const read = async ([name, histogram]: (typeof histograms)[number]): Promise<[LatencyName, number[]]> => [
      name,
      await readBuckets(histogram),
    ];
    const buckets = await Promise.all(histograms.map(read));
    const measured = measure();
    const counts = { ...measured.counts };
    const at = performance.now();
    const last = window.at(-1)?.counts;
    if (measured.inFlight > 0 || countNames.some((name) => counts[name] !== last?.[name])) activeAt = at;
    window = [...window, { at, counts, latencies: buckets }].slice(-WINDOW - 1);
    const first = window[0] ?? { at, counts, latencies: buckets };
    const seconds = (at - first.at) / 1000 || 1;
    return {
      ...measured,
      counts,
      quietMs: Math.floor(at - activeAt),
      rates: mapCounts((name) => Math.round(((counts[name] - first.counts[name]) / seconds) * 10) / 10),
      latencies: Object.fromEntries(
        buckets.map(([name, now], index) => [name, difference(now, first.latencies[index]?.[1])]),
      ),
    };
  };
}

function difference(now: number[], earlier: number[] = []): number[] {
  return now.map((count, index) => count - (earlier[index] ?? 0));
}
