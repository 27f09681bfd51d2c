import { QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';
import { type AsSent, packBatch, packEvent } from '../message.ts';

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

/** JSON texts of events with commas between them, which fit into one message unless it is a single event. */
interface Chunk {
  key: string;
  text: string;
  events: number;
  bytes: number;
}

interface Pack {
  texts: string[];
  events: number;
  bytes: number;
  /** Those whose last event is in it. */
  requests: number;
  sent: Promise<void>;
  send: () => void;
}

/**
 * Packs the events of all requests that arrive in one turn of the event loop into one message, since what a message costs
 * a broker hardly depends on what is in it (docs/performance.md). Nothing waits for a timer, and requests that come at
 * once, as those do that were counted by one command, do not wait for the end of the turn. Each request has its own
 * promise, which is that of the messages that carry its events.
 */
export class Packer {
  readonly #options: PackerOptions;
  readonly #send: SendMessage;
  /** One for each key of this turn. */
  readonly #open = new Map<string, Pack>();
  /** Requests since the first of those that wait for the end of this turn. */
  #waiting = 0;
  #requests = 0;
  #bytes = 0;

  constructor(options: PackerOptions, send: SendMessage) {
    this.#options = options;
    this.#send = send;
  }

  /**
   * Throws QueueUnavailable at once where the events do not fit into what may be in flight. The bytes
   * of `asSent` go into a message as they are where they fit into one.
   */
  add(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void> {
    const chunks = this.#chunk(events, asSent);
    if (Buffer.isBuffer(chunks)) return this.#sendAlone(chunks);
    this.#admit(chunks.reduce((sum, { bytes }) => sum + bytes, 0));
    const packs = chunks.map((chunk) => this.#put(chunk));
    const last = packs.at(-1);
    if (!last) return Promise.resolve();
    last.requests += 1;
    this.#waiting += 1;
    this.#requests += 1;
    return packs.length === 1 ? last.sent : Promise.all(packs.map(({ sent }) => sent)).then(() => undefined);
  }

  /** A whole message, or parts of those to come. */
  #chunk(events: readonly ActivityEvent[], asSent: AsSent | undefined): Buffer | Chunk[] {
    const { messageEventsMax, keyOf } = this.#options;
    const [first] = events;
    if (asSent && first && events.length === 1) {
      const { text, bytes } = packEvent(asSent, first);
      return [{ key: keyOf?.(first) ?? '', text, events: 1, bytes: bytes + 1 }];
    }
    if (asSent && first && !keyOf && events.length <= messageEventsMax) {
      const body = packBatch(asSent, first);
      if (body.length <= MESSAGE_BYTES_MAX) return body;
    }
    if (!keyOf) return chunksOf(events, messageEventsMax, '');
    return [...groupBy(events, keyOf)].flatMap(([key, group]) => chunksOf(group, messageEventsMax, key));
  }

  /** Behind what came before it in this turn. */
  #sendAlone(body: Buffer): Promise<void> {
    const one = { requests: 1, bytes: body.length };
    this.#admit(one.bytes);
    this.flush();
    this.#requests += one.requests;
    this.#bytes += one.bytes;
    return this.#send(body, () => this.#settle(one), '');
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

  #put({ key, text, events, bytes }: Chunk): Pack {
    const { messageEventsMax } = this.#options;
    const open = this.#open.get(key);
    if (open && (open.events + events > messageEventsMax || open.bytes + bytes > MESSAGE_BYTES_MAX))
      open.send();
    const pack = this.#open.get(key) ?? this.#begin(key);
    pack.texts.push(text);
    pack.events += events;
    pack.bytes += bytes;
    this.#bytes += bytes;
    return pack;
  }

  #begin(key: string): Pack {
    const pack = { texts: [] as string[], events: 0, bytes: 0, requests: 0 } as Pack;
    pack.sent = new Promise((resolve, reject) => {
      pack.send = () => {
        this.#open.delete(key);
        // Emptied: with the texts in packs that wait for their confirm, 330 KB came into V8's old generation at each
        // collection of 13 MB, and without them 31 KB (single events from 64 connections; docs/where-the-time-goes.md).
        const text = pack.texts.splice(0).join();
        const body = Buffer.from(pack.events === 1 ? text : `[${text}]`);
        this.#send(body, () => this.#settle(pack), key).then(resolve, reject);
      };
    });
    if (this.#open.size === 0) this.#flushSoon();
    this.#open.set(key, pack);
    return pack;
  }

  /**
   * One request alone waits for others of its turn. Several have waited for the same answer of Redis: no more come with
   * them, and the broker has them while the rest of the turn is worked off.
   */
  #flushSoon(): void {
    this.#waiting = 0;
    process.nextTick(() => {
      if (this.#waiting > 1) this.flush();
    });
    setImmediate(() => this.flush());
  }

  #settle({ requests, bytes }: Pick<Pack, 'requests' | 'bytes'>): void {
    this.#requests -= requests;
    this.#bytes -= bytes;
  }
}

/** One call of JSON.stringify for all events takes less time than one for each; what is too large is halved. */
function chunksOf(events: readonly ActivityEvent[], eventsMax: number, key: string): Chunk[] {
  const text = JSON.stringify(events).slice(1, -1);
  const bytes = Buffer.byteLength(text) + 1;
  const half = Math.ceil(events.length / 2);
  if (events.length < 2 || (events.length <= eventsMax && bytes <= MESSAGE_BYTES_MAX))
    return events.length === 0 ? [] : [{ key, text, events: events.length, bytes }];
  return [events.slice(0, half), events.slice(half)].flatMap((part) => chunksOf(part, eventsMax, key));
}

function groupBy(
  events: readonly ActivityEvent[],
  keyOf: (event: ActivityEvent) => string,
): Map<string, ActivityEvent[]> {
  const groups = new Map<string, ActivityEvent[]>();
  for (const event of events) {
    const key = keyOf(event);
    const group = groups.get(key);
    if (group) group.push(event);
    else groups.set(key, [event]);
  }
  return groups;
}
