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
/**
 * A write of at most this share of a batch keeps no others waiting for its journal. Under load writes are larger at once, and
 * one at a time stores as much.
 */
const BESIDE_SHARE = 0.01;
/**
 * Behind a write of at least so many events the next one gathers for as long as that took, at most so long. With API and
 * worker under full load on one machine an event then takes the store 42 us in place of 51, and the worker 35 in place of 41
 * (medians of three rounds of 3 s, in turn).
 */
const GATHER_EVENTS_MIN = 16;
const GATHER_MS_MAX = 6;

/** The events of one message, until all of them have their outcome. */
interface Group {
  deliveries: readonly Delivery[];
  bytesEach: number;
  outcomes: SaveOutcome[];
  /** So many of them are in a batch. */
  taken: number;
  undecided: number;
  error?: unknown;
  resolve: (outcomes: SaveOutcome[]) => void;
  reject: (error: unknown) => void;
}

/** Events of one message that are in one batch, which has them in their order. */
interface Part {
  group: Group;
  from: number;
  count: number;
}

interface Batch {
  deliveries: Delivery[];
  parts: Part[];
}

/**
 * Gathers events into batches. An event that finds no write in flight is written at once, unless the last write shows that
 * many come; while a write is in flight the next batch grows. A full batch goes out beside it, and any beside a small one.
 */
export class Batcher {
  readonly #store: Pick<Store, 'save'>;
  readonly #backoff: Pick<Backoff, 'run'>;
  readonly #options: BatcherOptions;
  /** Those that have events in no batch yet, in their order. */
  #waiting: Group[] = [];
  readonly #callers: { messageBytes: number; enter: () => void }[] = [];
  #eventsWaiting = 0;
  #bytesWaiting = 0;
  #writesInFlight = 0;
  #eventsInFlight = 0;
  #flushing = false;
  #gathering: NodeJS.Timeout | undefined;

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
      const outcomes = new Array<SaveOutcome>(length);
      this.#waiting.push({ deliveries, bytesEach, outcomes, taken: 0, undecided: length, resolve, reject });
      this.#eventsWaiting += length;
      this.#bytesWaiting += bytesEach * length;
      this.#flushSoon();
    });
  }

  /** Whether there is room for the events of one message more, and nobody waits for it. */
  hasRoom(): boolean {
    return this.#hasRoom() && this.#callers.length === 0;
  }

  /**
   * Resolves once there is room for the events of a message of so many bytes: two batches wait at most, beyond the
   * messages that filled them. Those that wait for it are let in in their order.
   */
  room(messageBytes: number): Promise<void> {
    if (this.hasRoom()) return Promise.resolve();
    return new Promise((enter) => {
      this.#callers.push({ messageBytes, enter });
      this.#flushSoon();
    });
  }

  #isFull(): boolean {
    return this.#eventsWaiting >= this.#options.batchSizeMax || this.#bytesWaiting >= BATCH_BYTES_MAX;
  }

  #hasRoom(): boolean {
    return this.#eventsWaiting < 2 * this.#options.batchSizeMax && this.#bytesWaiting < 2 * BATCH_BYTES_MAX;
  }

  /** Whatever arrived in the same read from the socket comes along. */
  #flushSoon(): void {
    if (!this.#flushing) setImmediate(() => this.#flush());
    this.#flushing = true;
  }

  #flush(): void {
    this.#flushing = false;
    while (this.#eventsWaiting > 0 && this.#isDue()) void this.#write(this.#nextBatch());
    if (this.#hasRoom()) this.#letIn();
  }

  #isDue(): boolean {
    const { batchSizeMax, writesInFlightMax } = this.#options;
    if (this.#writesInFlight === writesInFlightMax) return false;
    if (this.#isFull()) return true;
    return !this.#gathering && this.#eventsInFlight <= batchSizeMax * BESIDE_SHARE;
  }

  #gather(ms: number): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#flush();
    }, ms);
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

  #nextBatch(): Batch {
    const { batchSizeMax } = this.#options;
    const batch: Batch = { deliveries: [], parts: [] };
    const { deliveries, parts } = batch;
    let bytes = 0;
    let done = 0;
    for (const group of this.#waiting) {
      const from = group.taken;
      while (group.taken < group.deliveries.length) {
        const isFull =
          deliveries.length === batchSizeMax ||
          (deliveries.length > 0 && bytes + group.bytesEach > BATCH_BYTES_MAX);
        if (isFull) break;
        deliveries.push(group.deliveries[group.taken]!);
        group.taken += 1;
        bytes += group.bytesEach;
      }
      if (group.taken > from) parts.push({ group, from, count: group.taken - from });
      if (group.taken < group.deliveries.length) break;
      done += 1;
    }
    this.#waiting = this.#waiting.slice(done);
    this.#eventsWaiting -= deliveries.length;
    this.#bytesWaiting -= bytes;
    return batch;
  }

  async #write({ deliveries, parts }: Batch): Promise<void> {
    const begun = performance.now();
    this.#writesInFlight += 1;
    this.#eventsInFlight += deliveries.length;
    let outcomes: readonly SaveOutcome[] = [];
    let error: unknown;
    try {
      outcomes = await this.#backoff.run(() => this.#store.save(deliveries));
      if (outcomes.length !== deliveries.length)
        throw new Error(`store.save gave ${outcomes.length} outcomes for ${deliveries.length} events`);
    } catch (caught) {
      error = caught;
    }
    let at = 0;
    for (const { group, from, count } of parts) {
      for (let index = from; index < from + count; index += 1) group.outcomes[index] = outcomes[at++]!;
      group.error ??= error;
      settle(group, count);
    }
    this.#writesInFlight -= 1;
    this.#eventsInFlight -= deliveries.length;
    if (deliveries.length >= GATHER_EVENTS_MIN)
      this.#gather(Math.min(GATHER_MS_MAX, performance.now() - begun));
    this.#flush();
  }
}

function settle(group: Group, count: number): void {
  group.undecided -= count;
  if (group.undecided > 0) return;
  if (group.error === undefined) group.resolve(group.outcomes);
  else group.reject(group.error);
}
