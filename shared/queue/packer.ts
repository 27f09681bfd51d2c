import { QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';

/** A message grows no larger than this unless a single event is. Small messages keep broker and worker memory flat. */
export const MESSAGE_BYTES_MAX = 256 * 1024;

/**
 * What is published and not yet confirmed holds at most so many bytes, whatever the number of requests: what a broker
 * that hangs or blocks can cost in memory. Two hundred single events of 40 KiB, or 32 full messages.
 */
const IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Sends one message. Resolves once the queue holds it, and rejects when it did not in time; `settled` tells that nothing
 * of it is in flight any more, which may be later.
 */
export type SendMessage = (body: Buffer, settled: () => void, key: string) => Promise<void>;

export interface PackerOptions {
  messageEventsMax: number;
  inFlightMax: number;
  /** Only events of the same key share a message; without it all do. */
  keyOf?: (event: ActivityEvent) => string;
}

interface Pack {
  items: string[];
  bytes: number;
  /** Those whose last event is in it. */
  requests: number;
  sent: Promise<void>;
  send: () => void;
}

/**
 * Packs the events of all requests that arrive in one turn of the event loop into one message, since what a message costs
 * a broker hardly depends on what is in it (docs/performance.md). Nothing waits for a timer. Each request has
 * its own promise, which is that of the messages that carry its events.
 */
export class Packer {
  readonly #options: PackerOptions;
  readonly #send: SendMessage;
  /** One for each key of this turn. */
  readonly #open = new Map<string, Pack>();
  #requests = 0;
  #bytes = 0;

  constructor(options: PackerOptions, send: SendMessage) {
    this.#options = options;
    this.#send = send;
  }

  /** Rejects with QueueUnavailable at once where the events do not fit into what may be in flight. */
  async add(events: readonly ActivityEvent[]): Promise<void> {
    const items = events.map((event) => JSON.stringify(event));
    const sizes = items.map((item) => Buffer.byteLength(item) + 1);
    this.#admit(sizes.reduce((sum, size) => sum + size, 0));
    const packs = new Set<Pack>();
    let last: Pack | undefined;
    events.forEach((event, index) => {
      last = this.#put(items[index] ?? '', sizes[index] ?? 0, this.#options.keyOf?.(event) ?? '');
      packs.add(last);
    });
    if (!last) return;
    last.requests += 1;
    this.#requests += 1;
    await (packs.size === 1 ? last.sent : Promise.all(Array.from(packs, ({ sent }) => sent)));
  }

  /** Sends now what waits for the end of this turn. */
  flush(): void {
    for (const pack of this.#open.values()) pack.send();
  }

  /** Into nothing any request fits. */
  #admit(bytes: number): void {
    const fits = this.#requests < this.#options.inFlightMax && this.#bytes + bytes <= IN_FLIGHT_BYTES_MAX;
    if (this.#requests > 0 && !fits)
      throw new QueueUnavailable(`${this.#requests} requests of ${this.#bytes} bytes are in flight already`);
  }

  #put(item: string, size: number, key: string): Pack {
    const open = this.#open.get(key);
    const isFull =
      open && (open.items.length >= this.#options.messageEventsMax || open.bytes + size > MESSAGE_BYTES_MAX);
    if (isFull) open.send();
    const pack = (isFull ? undefined : open) ?? this.#begin(key);
    pack.items.push(item);
    pack.bytes += size;
    this.#bytes += size;
    return pack;
  }

  #begin(key: string): Pack {
    const pack = { items: [] as string[], bytes: 0, requests: 0 } as Pack;
    pack.sent = new Promise((resolve, reject) => {
      pack.send = () => {
        if (this.#open.get(key) !== pack) return;
        this.#open.delete(key);
        const [first = '', ...others] = pack.items;
        const body = Buffer.from(others.length === 0 ? first : `[${pack.items.join()}]`);
        this.#send(body, () => this.#settle(pack), key).then(resolve, reject);
      };
    });
    this.#open.set(key, pack);
    setImmediate(pack.send);
    return pack;
  }

  #settle({ requests, bytes }: Pack): void {
    this.#requests -= requests;
    this.#bytes -= bytes;
  }
}
