import { setTimeout as delay } from 'node:timers/promises';
import { QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';
import { type AsSent } from '../message.ts';
import { Packer } from './packer.ts';
import {
  type ConsumeOptions,
  type Consumer,
  type Message,
  type MessageHandler,
  type Queue,
  type QueueOptions,
} from './queue.ts';

/** A queue for tests: the same contract, but it ends with the process. */
export function createMemoryQueue(options = { messageEventsMax: 500 }): MemoryQueue {
  return new MemoryQueue(options);
}

export class MemoryQueue implements Queue {
  readonly #waiting: Message[] = [];
  readonly #consumers = new Set<MemoryConsumer>();
  readonly #packer: Packer;
  #fault: string | undefined;

  constructor({ messageEventsMax }: Pick<QueueOptions, 'messageEventsMax'>) {
    this.#packer = new Packer({ messageEventsMax, inFlightMax: Infinity }, (body, settled) => {
      this.#waiting.push({ body, attempts: 1, redelivered: false });
      settled();
      this.#handOut();
      return Promise.resolve();
    });
  }

  /** Makes the queue unavailable, or available again. */
  fail(failing: boolean): void {
    this.#fault = failing ? 'the memory queue was told to fail' : undefined;
    this.#handOut();
  }

  async publish(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void> {
    await this.ping();
    await this.#packer.add(events, asSent);
  }

  consume(handle: MessageHandler, options: ConsumeOptions): Promise<Consumer> {
    const consumer = new MemoryConsumer(handle, options, {
      take: () => (this.#fault === undefined ? this.#waiting.shift() : undefined),
      giveBack: (message) => {
        this.#waiting.unshift({ ...message, attempts: message.attempts + 1, redelivered: true });
        this.#handOut();
      },
    });
    this.#consumers.add(consumer);
    consumer.handOut();
    return Promise.resolve(consumer);
  }

  ping(): Promise<void> {
    return this.#fault === undefined ? Promise.resolve() : Promise.reject(new QueueUnavailable(this.#fault));
  }

  async depth(): Promise<number> {
    await this.ping();
    return this.#waiting.length;
  }

  close(): Promise<void> {
    this.#packer.flush();
    this.#fault = 'closed';
    return Promise.resolve();
  }

  #handOut(): void {
    for (const consumer of this.#consumers) consumer.handOut();
  }
}

interface Source {
  take: () => Message | undefined;
  giveBack: (message: Message) => void;
}

class MemoryConsumer implements Consumer {
  readonly #handle: MessageHandler;
  readonly #options: ConsumeOptions;
  readonly #source: Source;
  readonly #undecided = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(handle: MessageHandler, options: ConsumeOptions, source: Source) {
    this.#handle = handle;
    this.#options = options;
    this.#source = source;
  }

  handOut(): void {
    while (!this.#stopping.signal.aborted && this.#undecided.size < this.#options.prefetch) {
      const message = this.#source.take();
      if (!message) return;
      const decided = this.#decide(message).then((back) => {
        this.#undecided.delete(decided);
        if (back) this.#source.giveBack(message);
        this.handOut();
      });
      this.#undecided.add(decided);
    }
  }

  /** Resolves to whether the message is to be delivered again. */
  async #decide(message: Message): Promise<boolean> {
    try {
      if ((await this.#handle(message)) !== 'retry') return false;
    } catch {
      // Retried like any other message.
    }
    const { retryDelayMs } = this.#options;
    await delay(retryDelayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    return true;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#undecided);
  }
}
