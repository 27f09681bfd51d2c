import { type Delivery, type SaveOutcome, type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';

export interface Batcher {
  /** Saves one event together with others; rejects with StoreUnavailable only when the worker is stopping. */
  add(delivery: Delivery): Promise<SaveOutcome>;
}

export interface BatcherOptions {
  batchSizeMax: number;
  writesInFlightMax: number;
}

interface Waiting {
  delivery: Delivery;
  resolve: (outcome: SaveOutcome) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers events into batches without ever waiting for a timer: an event that finds no write in flight is written
 * at once, and while a write is in flight the next batch grows. A full batch goes out beside it. What waits here is
 * bounded by the queue's prefetch.
 */
export function createBatcher(
  store: Pick<Store, 'save'>,
  backoff: Pick<Backoff, 'run'>,
  { batchSizeMax, writesInFlightMax }: BatcherOptions,
): Batcher {
  let waiting: Waiting[] = [];
  let writesInFlight = 0;
  let flushing = false;

  function flush(): void {
    flushing = false;
    while (
      waiting.length > 0 &&
      (writesInFlight === 0 || (writesInFlight < writesInFlightMax && waiting.length >= batchSizeMax))
    ) {
      const batch = waiting.slice(0, batchSizeMax);
      waiting = waiting.slice(batchSizeMax);
      void write(batch);
    }
  }

  async function write(batch: readonly Waiting[]): Promise<void> {
    writesInFlight += 1;
    try {
      const outcomes = await backoff.run(() => store.save(batch.map(({ delivery }) => delivery)));
      batch.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index];
        if (outcome) resolve(outcome);
        else reject(new Error(`store.save gave ${outcomes.length} outcomes for ${batch.length} events`));
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    writesInFlight -= 1;
    flush();
  }

  return {
    add: (delivery) =>
      new Promise((resolve, reject) => {
        waiting.push({ delivery, resolve, reject });
        // Whatever arrived with it, in the same message or the same read from the socket, comes along.
        if (!flushing) setImmediate(flush);
        flushing = true;
      }),
  };
}
