import { QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';

/** A message grows no larger than this unless a single event is. Small messages keep broker and worker memory flat. */
export const MESSAGE_BYTES_MAX = 256 * 1024;

/**
 * Messages that are published and not yet confirmed hold at most so many bytes together, whatever their number: what a
 * broker that hangs or blocks can cost in memory. Two hundred single events of 40 KiB, or 32 full messages.
 */
const IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024;

/** What is in flight, and its two bounds. */
export class InFlight {
  readonly #messagesMax: number;
  #messages = 0;
  #bytes = 0;

  constructor(messagesMax: number) {
    this.#messagesMax = messagesMax;
  }

  /** Counts some messages, or throws QueueUnavailable where they do not fit; into nothing any request fits. */
  add(bodies: readonly Buffer[]): void {
    const bytes = bytesOf(bodies);
    const fits =
      this.#messages + bodies.length <= this.#messagesMax && this.#bytes + bytes <= IN_FLIGHT_BYTES_MAX;
    if (this.#messages > 0 && !fits) {
      throw new QueueUnavailable(`${this.#messages} messages of ${this.#bytes} bytes are in flight already`);
    }
    this.#messages += bodies.length;
    this.#bytes += bytes;
  }

  remove(bodies: readonly Buffer[]): void {
    this.#messages -= bodies.length;
    this.#bytes -= bytesOf(bodies);
  }
}

function bytesOf(bodies: readonly Buffer[]): number {
  return bodies.reduce((sum, { length }) => sum + length, 0);
}

/**
 * The messages that carry some events: a JSON object for a single event, a JSON array for several, split so that
 * each stays within `MESSAGE_BYTES_MAX`.
 */
export function encodeMessages(events: readonly ActivityEvent[]): Buffer[] {
  const messages: Buffer[] = [];
  let items: string[] = [];
  let bytes = 0;
  const flush = () => {
    if (items.length === 0) return;
    messages.push(Buffer.from(items.length === 1 ? items.join() : `[${items.join()}]`));
    items = [];
    bytes = 0;
  };
  for (const event of events) {
    const item = JSON.stringify(event);
    const size = Buffer.byteLength(item) + 1;
    if (bytes + size > MESSAGE_BYTES_MAX) flush();
    items.push(item);
    bytes += size;
  }
  flush();
  return messages;
}
