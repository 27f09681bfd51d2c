import { type Delivery, type SaveOutcome, type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';

export interface BatcherOptions {
  batchSizeMax: number;
  writesInFlightMax: number;
}

/**
 * A batch grows past it only by one event. What a store needs a long time for would run into the bound of the call, and
 * the same batch would be tried again and again; a huge event is written alone, where its refusal costs no others.
 */
const BATCH_BYTES_MAX = 8 * 1024 * 1024;
/** So many bytes of messages are let in before it is looked whether there still is room. */
const ROOM_BYTES = 64 * 1024;

/** The events of one message, until all of them have their outcome. */
interface Group {
  outcomes: SaveOutcome[];
  undecided: number;
  error?: unknown;
  resolve: (outcomes: SaveOutcome[]) => void;
  reject: (error: unknown) => void;
}

interface Waiting {
  delivery: Delivery;
  bytes: number;
  group: Group;
  index: number;
}

/**
 * Gathers events into batches without ever waiting for a timer: an event that finds no write in flight is written
 * at once, and while a write is in flight the next batch grows. A full batch goes out beside it.
 */
export class Batcher {
  readonly #store: Pick<Store, 'save'>;
  readonly #backoff: Pick<Backoff, 'run'>;
  readonly #options: BatcherOptions;
  readonly #waiting: Waiting[] = [];
  readonly #callers: { messageBytes: number; enter: () => void }[] = [];
  #bytesWaiting = 0;
  #writesInFlight = 0;
  #flushing = false;

  constructor(store: Pick<Store, 'save'>, backoff: Pick<Backoff, 'run'>, options: BatcherOptions) {
    this.#store = store;
    this.#backoff = backoff;
    this.#options = options;
  }

  /**
   * Saves the events of one message, each of so many bytes of JSON, together with those of others. Resolves to their
   * outcomes, in their order; rejects with StoreUnavailable only when the worker is stopping, and never while something of
   * the message is still being written.
   */
  add(deliveries: readonly Delivery[], bytesEach = 0): Promise<SaveOutcome[]> {
    const { length } = deliveries;
    if (length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const group: Group = { outcomes: new Array<SaveOutcome>(length), undecided: length, resolve, reject };
      deliveries.forEach((delivery, index) =>
        this.#waiting.push({ delivery, bytes: bytesEach, group, index }),
      );
      this.#bytesWaiting += bytesEach * length;
      this.#flushSoon();
    });
  }

  /**
   * Resolves once there is room for the events of a message of so many bytes: two batches wait at most, beyond the
   * messages that filled them. Those that wait for it are let in in their order.
   */
  room(messageBytes: number): Promise<void> {
    if (this.#hasRoom() && this.#callers.length === 0) return Promise.resolve();
    return new Promise((enter) => {
      this.#callers.push({ messageBytes, enter });
      this.#flushSoon();
    });
  }

  #isFull(): boolean {
    return this.#waiting.length >= this.#options.batchSizeMax || this.#bytesWaiting >= BATCH_BYTES_MAX;
  }

  #hasRoom(): boolean {
    return this.#waiting.length < 2 * this.#options.batchSizeMax && this.#bytesWaiting < 2 * BATCH_BYTES_MAX;
  }

  /** Whatever arrived in the same read from the socket comes along. */
  #flushSoon(): void {
    if (!this.#flushing) setImmediate(() => this.#flush());
    this.#flushing = true;
  }

  #flush(): void {
    this.#flushing = false;
    const { writesInFlightMax } = this.#options;
    while (
      this.#waiting.length > 0 &&
      (this.#writesInFlight === 0 || (this.#writesInFlight < writesInFlightMax && this.#isFull()))
    )
      void this.#write(this.#nextBatch());
    if (this.#hasRoom()) this.#letIn();
  }

  #letIn(): void {
    for (let bytes = 0; bytes < ROOM_BYTES && this.#callers.length > 0;) {
      const { messageBytes, enter } = this.#callers.shift()!;
      bytes += messageBytes;
      enter();
    }
    // Those who were let in may add nothing.
    if (this.#callers.length > 0) this.#flushSoon();
  }

  #nextBatch(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const one of this.#waiting) {
      if (count === this.#options.batchSizeMax || (count > 0 && bytes + one.bytes > BATCH_BYTES_MAX)) break;
      count += 1;
      bytes += one.bytes;
    }
    this.#bytesWaiting -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    this.#writesInFlight += 1;
    try {
      const deliveries = batch.map(({ delivery }) => delivery);
      const outcomes = await this.#backoff.run(() => this.#store.save(deliveries));
      if (outcomes.length !== batch.length)
        throw new Error(`store.save gave ${outcomes.length} outcomes for ${batch.length} events`);
      batch.forEach(({ group, index }, at) => (group.outcomes[index] = outcomes[at]!));
    } catch (error) {
      for (const { group } of batch) group.error = error;
    }
    for (const { group } of batch) settle(group);
    this.#writesInFlight -= 1;
    this.#flush();
  }
}

function settle(group: Group): void {
  group.undecided -= 1;
  if (group.undecided > 0) return;
  if (group.error === undefined) group.resolve(group.outcomes);
  else group.reject(group.error);
}
