import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailable } from '@event-tracker/shared/errors';
import { type Logger } from '@event-tracker/shared/logger';
import { HOUR_MS, hourOf, HourTally } from '../store/hour-counts.ts';
import { type CountedPage, type HourClaim, type Position, type Store } from '../store/store.ts';
import { countSeconds } from './metrics.ts';

/** What they have of texts are 12 MB at most, which the largest document of MongoDB holds. */
export const PAGE_EVENTS = 5000;
/**
 * Counting takes a tenth of the time of one connection at most: after each step it rests so many times as long, and in a
 * process that is busy after each page of an hour. Without that, workers drained a third slower while an hour of three
 * million events was counted.
 */
const REST_FACTOR = 10;
const REST_MIN_MS = 10;
/**
 * Counting an hour of a hundred thousand events again and again took a fifth of a worker's CPU time and 30 MB while it
 * drained a backlog: what is busy saving leaves it for later, or to workers that are not, but no longer than this.
 */
const BUSY_REST_MAX_MS = 60_000;
/** A process is busy whose event loop was at work for more than this share of the last moment. */
const BUSY_SHARE = 0.4;
const LOOK_MS = 1000;
const IDLE_MS = 250;
/** After a step that failed. A store that is away has others who ask for it more often. */
const PAUSE_MS = 2000;
/** A database that hangs does not hold up the end of the worker. */
const STOP_TIMEOUT_MS = 1000;

export interface HourCounter {
  /** Ends counting; an hour that was being counted is left to others, or to the next start. */
  stop(): Promise<void>;
}

/** Counts dirty hours, newest first, and looks once for hours that nobody has marked. It never holds up what is saved. */
export function startHourCounter(store: Store, logger: Logger): HourCounter {
  const stopped = new AbortController();
  const { signal } = stopped;
  /** Every hour with events has a record, but for those before `to`. */
  let unknown: { to?: Date } | undefined = {};

  /** Looks at one hour more: its events may be from before hours were counted, or somebody has removed its record. */
  async function findUnmarked(before: { to?: Date }): Promise<{ to: Date } | undefined> {
    const [newest] = await store.list({ ...before, limit: 1 });
    if (!newest) return undefined;
    const hour = new Date(hourOf(newest.timestamp.getTime()));
    const records = await store.listHours(hour, new Date(hour.getTime() + HOUR_MS));
    // To be counted once: who saves events now marks their hours for longer.
    if (records.length === 0) await store.markHours([hour], 0);
    return { to: hour };
  }

  /** Resolves to how long to rest. */
  async function step(): Promise<number> {
    const begun = performance.now();
    const claim = await store.claimHour();
    let restedMs = 0;
    if (claim) restedMs = await countHour(store, claim, signal);
    else if (unknown) unknown = await findUnmarked(unknown);
    else return IDLE_MS;
    const tookMs = performance.now() - begun;
    if (claim) countSeconds.observe(tookMs / 1000);
    return Math.max(REST_MIN_MS, (tookMs - restedMs) * REST_FACTOR);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const ms = await step().catch((err: unknown) => {
        const isAway = err instanceof StoreUnavailable;
        if (!isAway && !signal.aborted) logger.warn({ err }, 'hours are not counted: trying again');
        return PAUSE_MS;
      });
      await rest(ms, signal);
    }
  }

  const ended = run();
  return {
    async stop() {
      stopped.abort();
      await Promise.race([ended, delay(STOP_TIMEOUT_MS, undefined, { ref: false })]);
    },
  };
}

/**
 * Counts a claimed hour, and keeps nothing when it is to stop. Resolves to how long it took over pages behind which it
 * rested, with these rests.
 */
async function countHour(store: Store, { hour, claimedAt }: HourClaim, signal: AbortSignal): Promise<number> {
  const tally = new HourTally();
  const range = { from: hour, to: new Date(hour.getTime() + HOUR_MS), limit: PAGE_EVENTS };
  let after: Position | null = null;
  let restedMs = 0;
  do {
    const begun = performance.now();
    const before = performance.eventLoopUtilization();
    const page: CountedPage = await store.scan({ ...range, ...(after && { after }) });
    tally.add(page);
    after = page.next;
    if (after && performance.eventLoopUtilization(before).utilization > BUSY_SHARE) {
      const tookMs = performance.now() - begun;
      await delay(tookMs * REST_FACTOR, undefined, { signal }).catch(() => undefined);
      restedMs += performance.now() - begun;
    }
  } while (after && !signal.aborted);
  if (!after) await store.keepHour({ hour, claimedAt }, tally.counts());
  return restedMs;
}

/** Resolves after so long, and in a process that is busy not before it has been idle for a moment, or is to stop. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  const latest = performance.now() + BUSY_REST_MAX_MS;
  const isBusyFor = async (time: number) => {
    const before = performance.eventLoopUtilization();
    await delay(time, undefined, { signal }).catch(() => undefined);
    return performance.eventLoopUtilization(before).utilization > BUSY_SHARE;
  };
  let isBusy = await isBusyFor(ms);
  while (isBusy && performance.now() < latest && !signal.aborted) isBusy = await isBusyFor(LOOK_MS);
}
