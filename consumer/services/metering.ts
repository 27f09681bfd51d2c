import { type MessageHandler, type Verdict } from '@event-tracker/shared/queue/queue';
import { type Delivery, type SaveOutcome, type Store } from '../store/store.ts';
import {
  acceptToStoredSeconds,
  batchEvents,
  deadEvents,
  workerCounts,
  workerState,
  writeSeconds,
} from './metrics.ts';

/**
 * Counts what becomes of accepted events, each once: what an earlier delivery of the same message has stored is no
 * duplicate but the event itself again. Only the duplicates of redelivered messages cost a look into the store.
 */
export function meterStore(store: Store, worker: string): Store {
  /** When a redelivered event was first to be saved by this worker; a write that is tried again changes nothing. */
  const arrivals = new WeakMap<Delivery, number>();

  async function count(deliveries: readonly Delivery[], outcomes: readonly SaveOutcome[]): Promise<void> {
    const now = Date.now();
    const unclear: Delivery[] = [];
    deliveries.forEach((delivery, index) => {
      const { status } = outcomes[index] ?? {};
      if (status === 'stored') {
        workerCounts.stored += 1;
        acceptToStoredSeconds.observe(Math.max(0, now - Date.parse(delivery.event.receivedAt)) / 1000);
      } else if (status === 'duplicate' && delivery.redelivered) unclear.push(delivery);
      else if (status === 'duplicate') workerCounts.duplicate += 1;
    });
    if (unclear.length === 0) return;
    const repeated = await Promise.all(unclear.map(isRepeated));
    const again = repeated.filter(Boolean).length;
    workerCounts.repeated += again;
    workerCounts.duplicate += unclear.length - again;
  }

  /** Whether an earlier delivery has stored this very event. Where the store cannot say, that is the likelier. */
  async function isRepeated(delivery: Delivery): Promise<boolean> {
    const { eventId, requestId, receivedAt } = delivery.event;
    const stored = await store.get(eventId).catch(() => undefined);
    if (stored === undefined) return true;
    if (stored?.processing.requestId !== requestId) return false;
    const { processing } = stored;
    const byThisDelivery =
      processing.worker === worker &&
      processing.processedAt.getTime() >= (arrivals.get(delivery) ?? Infinity);
    return processing.receivedAt.toISOString() === receivedAt && !byThisDelivery;
  }

  return {
    ...store,

    async save(deliveries) {
      const begun = performance.now();
      for (const delivery of deliveries) {
        if (delivery.redelivered && !arrivals.has(delivery)) arrivals.set(delivery, Date.now());
      }
      batchEvents.observe(deliveries.length);
      let outcomes: SaveOutcome[];
      try {
        outcomes = await store.save(deliveries);
      } finally {
        writeSeconds.observe((performance.now() - begun) / 1000);
      }
      await count(deliveries, outcomes);
      return outcomes;
    },

    async recordDead(letters) {
      // A letter that is there already was counted by the delivery that made it.
      const known = await Promise.all(
        letters.map(async ({ id, attempts }) => attempts > 1 && (await store.getDead(id)) !== null),
      );
      await store.recordDead(letters);
      letters.forEach(({ reason }, index) => {
        if (known[index]) return;
        workerCounts.dead += 1;
        deadEvents.inc({ reason });
      });
    },
  };
}

/** Counts messages on their way through a handler. */
export function meterHandler(handle: MessageHandler, retryDelayMs: number): MessageHandler {
  function count(verdict: Verdict): Verdict {
    workerState.handling -= 1;
    workerState.verdicts += 1;
    if (verdict === 'retry') {
      workerState.delayed += 1;
      setTimeout(() => (workerState.delayed -= 1), retryDelayMs).unref();
    }
    return verdict;
  }

  function fail(error: unknown): never {
    count('retry');
    throw error;
  }

  return (message) => {
    if (message.redelivered) workerCounts.redelivered += 1;
    workerState.handling += 1;
    return handle(message).then(count, fail);
  };
}
