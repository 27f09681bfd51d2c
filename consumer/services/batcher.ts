import { type Delivery, type SaveOutcome, type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';

export interface Batcher {
  /**
   * Saves one event, of so many bytes of JSON, together with others; rejects with StoreUnavailable only when the worker
   * is stopping.
   */
  add(delivery: Delivery, bytes?: number): Promise<SaveOutcome>;
}

export interface BatcherOptions {
  batchSizeMax: number;
  writesInFlightMax: number;
}

/**
 * A batch grows past it only by one event. What a store needs a long time for would run into the bound of the call, and
 * the same batch would be tried again and again; a huge event is written alone, where its refusal costs no others.
 */
const BATCH_BYTES_MAX = 8 * 1024 * 1024;

interface Waiting {
  delivery: Delivery;
  bytes: number;
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
  let bytesWaiting = 0;
  let writesInFlight = 0;
  let flushing = false;

  function flush(): void {
    flushing = false;
    const isFull = () => waiting.length >= batchSizeMax || bytesWaiting >= BATCH_BYTES_MAX;
    while (waiting.length > 0 && (writesInFlight === 0 || (writesInFlight < writesInFlightMax && isFull()))) {
      void write(nextBatch());
    }
  }

  function nextBatch(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const one of waiting.slice(0, batchSizeMax)) {
      if (count > 0 && bytes + one.bytes > BATCH_BYTES_MAX) break;
      count += 1;
      bytes += one.bytes;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    bytesWaiting -= bytes;
    return batch;
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
    add: (delivery, bytes = 0) =>
      new Promise((resolve, reject) => {
        waiting.push({ delivery, bytes, resolve, reject });
        bytesWaiting += bytes;
        // Whatever arrived with it, in the same message or the same read from the socket, comes along.
        if (!flushing) setImmediate(flush);
        flushing = true;
      }),
  };
}
