import { type Consumer, type Queue } from '@event-tracker/shared/queue/queue';
import { workerState } from './metrics.ts';

const INTERVAL_MIN_MS = 1000;
const INTERVAL_MAX_MS = 5000;
/** Long enough for two looks at their slowest, and short enough for a worker that is stuck to be unready within 30 s. */
const STUCK_AFTER_MS = 20_000;

export interface Progress {
  /** Rejects when there was work for `STUCK_AFTER_MS` and no message was decided over, though nothing stood in the way. */
  check(): Promise<void>;
  stop(): void;
}

/**
 * Watches whether the worker gets on with what may come to it. While the store or the queue is away it need not: they have
 * their own checks.
 */
export function watchProgress(
  queue: Pick<Queue, 'depth'>,
  consuming: () => Pick<Consumer, 'depth'> | undefined,
  storeIsUp: () => boolean,
): Progress {
  let gotOnAt = performance.now();
  let verdicts = workerState.verdicts;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;

  async function look(): Promise<void> {
    const begun = performance.now();
    workerState.depth = await queue.depth().catch(() => null);
    const { depth, handling } = workerState;
    const own = consuming()?.depth?.();
    const waiting = (await own?.catch(() => null)) ?? depth;
    const hasWork = handling > 0 || (waiting ?? 0) > 0;
    const isExplained = depth === null || !storeIsUp();
    if (!hasWork || isExplained || verdicts !== workerState.verdicts) gotOnAt = performance.now();
    verdicts = workerState.verdicts;
    // A long queue in a database takes its time to count; that must not become a load of its own.
    const pauseMs = Math.min(Math.max(INTERVAL_MIN_MS, (performance.now() - begun) * 10), INTERVAL_MAX_MS);
    if (!stopping) timer = setTimeout(() => void look(), pauseMs).unref();
  }
  void look();

  return {
    check() {
      const stuckMs = performance.now() - gotOnAt;
      return stuckMs < STUCK_AFTER_MS
        ? Promise.resolve()
        : Promise.reject(new Error(`no message was decided over in ${Math.round(stuckMs)} ms`));
    },
    stop() {
      stopping = true;
      clearTimeout(timer);
    },
  };
}
