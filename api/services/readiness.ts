import { type Store } from '@event-tracker/consumer/store/store';
import { type Queue } from '@event-tracker/shared/queue/queue';

export type Check = 'up' | 'down' | 'degraded';

export interface ReadinessReport {
  ready: boolean;
  checks: { queue: Check; store: Check; rateLimit: Check };
}

export interface Readiness {
  /** Ready means that events are accepted: the queue is up. Reads and shared limits may be missing all the same. */
  report(): Promise<ReadinessReport>;
  /** From now on not ready, so that a load balancer sends no more requests. */
  stop(): void;
}

/** However often it is asked, queue and store are asked once in this time. */
const REPORT_TTL_MS = 1000;

export function createReadiness(
  queue: Pick<Queue, 'ping'>,
  store: Pick<Store, 'ping'>,
  limiterIsDegraded: () => boolean,
): Readiness {
  let stopping = false;
  let checkedAt = -Infinity;
  let checks: Promise<[Check, Check]> | undefined;

  return {
    async report() {
      if (!checks || Date.now() - checkedAt > REPORT_TTL_MS) {
        checkedAt = Date.now();
        checks = Promise.all([check(queue.ping()), check(store.ping())]);
      }
      const [queueCheck, storeCheck] = await checks;
      return {
        ready: queueCheck === 'up' && !stopping,
        checks: { queue: queueCheck, store: storeCheck, rateLimit: limiterIsDegraded() ? 'degraded' : 'up' },
      };
    },
    stop() {
      stopping = true;
    },
  };
}

async function check(ping: Promise<unknown>): Promise<Check> {
  return ping.then(
    () => 'up',
    () => 'down',
  );
}
