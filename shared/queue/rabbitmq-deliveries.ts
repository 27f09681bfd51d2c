import { type Channel, type ConsumeMessage } from 'amqplib';
import { type Verdict } from './queue.ts';

/**
 * Acks of what is behind an undecided delivery wait for it so long. Where two writes end in the other order it is a few
 * milliseconds behind, and each frame is an entry in the log of a quorum queue: with 387 of them in place of 8,388 over a
 * backlog of 200,000 the broker took 17.7 µs an event in place of 20.6 (five rounds in turn).
 */
const BEHIND_MS = 50;

/**
 * Sends the verdicts over the deliveries of one channel. Acks are kept to the end of the event loop's turn; then one
 * frame acknowledges all up to the first undecided delivery. Those behind it get a frame each when it stays undecided.
 */
export class Deliveries {
  readonly #channel: Channel;
  readonly #retryDelayMs: number;
  readonly #delayed = new Map<number, NodeJS.Timeout>();
  /** Delivery tags count 1, 2, 3... on each channel; everything below this one is decided. */
  #undecided = 1;
  /** What is decided from there on. */
  readonly #decided = new Set<number>();
  /** Acks that the broker was not told yet. */
  #acks: number[] = [];
  #flushing = false;
  #behind: NodeJS.Timeout | undefined;
  /** Messages that have arrived, and over which the broker was told nothing yet. */
  unacknowledged = 0;
  #held = false;
  #delaying = true;
  #dropped = false;

  constructor(channel: Channel, retryDelayMs: number) {
    this.#channel = channel;
    this.#retryDelayMs = retryDelayMs;
  }

  settle(tag: number, verdict: Verdict): void {
    if (this.#dropped) return;
    if (verdict === 'ack') this.#ack(tag);
    else if (verdict === 'dead') this.#nack(tag, false);
    else if (!this.#delaying) this.giveBack(tag);
    else {
      const timer = setTimeout(() => this.giveBack(tag), this.#retryDelayMs);
      this.#delayed.set(tag, timer);
    }
  }

  /** Keeps acks back, so that the broker sends nothing in their place. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#flush();
  }

  /** How many wait for their retry, which the broker counts as undecided. */
  get delayed(): number {
    return this.#delayed.size;
  }

  giveBack(tag: number): void {
    this.#delayed.delete(tag);
    this.#nack(tag, true);
  }

  /** Gives back at once what waits for its retry, and from now on everything that is to be retried. */
  stopDelaying(): void {
    this.#delaying = false;
    for (const [tag, timer] of this.#delayed) {
      clearTimeout(timer);
      this.giveBack(tag);
    }
  }

  /** Sends nothing any more: the channel is closed, and the broker delivers again what was not decided. */
  drop(): void {
    this.#dropped = true;
    for (const timer of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    clearTimeout(this.#behind);
  }

  #ack(tag: number): void {
    if (!this.#flushing) setImmediate(() => this.#flush());
    this.#flushing = true;
    this.#acks.push(tag);
    this.#decided.add(tag);
  }

  #nack(tag: number, requeue: boolean): void {
    this.#decided.add(tag);
    this.unacknowledged -= 1;
    this.#send(() => this.#channel.nack(delivered(tag), false, requeue));
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#held) return;
    while (this.#decided.delete(this.#undecided)) this.#undecided++;
    const behind = this.#acks.filter((tag) => tag >= this.#undecided);
    // `multiple` must name a delivery that is still unacknowledged: the latest of these acks, never an earlier nack.
    const latest = this.#acks.reduce((tag, next) => (next < this.#undecided ? Math.max(tag, next) : tag), 0);
    this.unacknowledged -= this.#acks.length - behind.length;
    this.#acks = behind;
    if (latest > 0) this.#send(() => this.#channel.ack(delivered(latest), true));
    if (behind.length > 0) this.#behind ??= setTimeout(() => this.#flushBehind(), BEHIND_MS);
  }

  #flushBehind(): void {
    this.#behind = undefined;
    if (this.#held) return;
    const acks = this.#acks;
    this.#acks = [];
    this.unacknowledged -= acks.length;
    for (const tag of acks) this.#send(() => this.#channel.ack(delivered(tag)));
  }

  #send(verdict: () => void): void {
    if (this.#dropped) return;
    try {
      verdict();
    } catch {
      // amqplib throws between the start and the end of a connection's closing.
      this.drop();
    }
  }
}

/** As much of a message as amqplib reads for a verdict; the rest is not kept until then. */
function delivered(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage;
}
