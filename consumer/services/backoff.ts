import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable } from '@event-tracker/shared/errors';
import { type Logger } from '@event-tracker/shared/logger';

/** The first wait is up to twice this long. */
const DELAY_MIN_MS = 50;
const STOPPED = 'the worker is stopping and the store is away';

/** How the worker meets a store that is away: it waits, holds what it has, and tries again until it works. */
export interface Backoff {
  /**
   * Runs one call to the store until it does not reject with StoreUnavailable. Any other failure is the caller's.
   * Rejects with StoreUnavailable only once `stop` was called.
   */
  run<T>(call: () => Promise<T>): Promise<T>;
  /** Whether the last call that ended found the store. */
  readonly healthy: boolean;
  /**
   * Ends all waiting. Every call is then tried once, and with a store that is away already not even that: what the
   * worker holds goes back to the queue at once.
   */
  stop(): void;
}

export function createBackoff(delayMaxMs: number, logger: Logger): Backoff {
  const stopped = new AbortController();
  // Every call in flight listens, and Node takes more than ten listeners for a leak.
  setMaxListeners(0, stopped.signal);
  let state: 'unknown' | 'healthy' | 'away' = 'unknown';

  function found(next: 'healthy' | 'away', err?: unknown): void {
    if (next !== state && !stopped.signal.aborted) {
      if (next === 'away') logger.warn({ err }, 'store is away: waiting and trying again');
      else if (state === 'away') logger.info('store is back');
    }
    state = next;
  }

  async function run<T>(call: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      if (stopped.signal.aborted && state !== 'healthy') throw new StoreUnavailable(STOPPED);
      try {
        const result = await unlessGivenUp(call());
        found('healthy');
        return result;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        found('away', error);
        if (stopped.signal.aborted) throw error;
        await sleep(delayMs(failures, delayMaxMs), undefined, { signal: stopped.signal }).catch(
          () => undefined,
        );
      }
    }
  }

  /** A call that may take as long as its timeout is not waited for when the store was away before it began. */
  function unlessGivenUp<T>(pending: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        if (state !== 'healthy') reject(new StoreUnavailable(STOPPED));
      };
      stopped.signal.addEventListener('abort', giveUp, { once: true });
      pending.then(resolve, reject).finally(() => stopped.signal.removeEventListener('abort', giveUp));
    });
  }

  return {
    run,
    get healthy() {
      return state === 'healthy';
    },
    stop: () => stopped.abort(),
  };
}

/** Exponential with full jitter, so that workers that lost the store together do not come back together. */
function delayMs(failures: number, delayMaxMs: number): number {
  return Math.random() * Math.min(delayMaxMs, DELAY_MIN_MS * 2 ** (failures + 1));
}
