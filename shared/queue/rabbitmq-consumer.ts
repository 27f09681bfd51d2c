import { type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { type Logger } from '../logger.ts';
import { type ConsumeOptions, type MessageHandler, type Verdict } from './queue.ts';
import { within } from './within.ts';

const STOP_TIMEOUT_MS = 2_000;

/** The header of a message that may have been delivered before as another one. */
export const REPUBLISHED = 'x-republished';

/** A consumer that is started again, on a channel of its own, on each new connection. */
export class RabbitmqConsumer {
  readonly #queue: string;
  readonly #handle: MessageHandler;
  readonly #options: ConsumeOptions;
  readonly #logger: Logger;
  readonly #lost: (model: ChannelModel, reason?: string) => void;
  /** Messages that are handed out and have no verdict. */
  #undecided = 0;
  readonly #allDecided = new Set<() => void>();
  #model: ChannelModel | undefined;
  #subscription: { channel: Channel; deliveries: Deliveries; consumerTag: string } | undefined;
  #stopped = false;

  constructor(
    queue: string,
    handle: MessageHandler,
    options: ConsumeOptions,
    logger: Logger,
    lost: (model: ChannelModel, reason?: string) => void,
  ) {
    this.#queue = queue;
    this.#handle = handle;
    this.#options = options;
    this.#logger = logger;
    this.#lost = lost;
  }

  /** Starts consuming on a connection; the second call for the same one does nothing. */
  async start(model: ChannelModel): Promise<void> {
    if (this.#model === model || this.#stopped) return;
    this.#model = model;
    const channel = await model.createChannel();
    const deliveries = new Deliveries(channel, this.#options.retryDelayMs);
    channel.on('error', ({ message }) => this.#logger.warn({ reason: message }, 'RabbitMQ closed a channel'));
    channel.on('close', () => {
      deliveries.drop();
      if (!this.#stopped) this.#lost(model);
    });
    await channel.prefetch(this.#options.prefetch);
    const { consumerTag } = await channel.consume(this.#queue, (delivery) => {
      if (delivery === null) this.#lost(model, 'consumer cancelled by the broker');
      else this.#receive(delivery, deliveries);
    });
    this.#subscription = { channel, deliveries, consumerTag };
    if (this.#stopped) await this.#end();
  }

  /** Of each message no more is kept than its tag and one promise: a thousand of them wait for the store at a time. */
  #receive(delivery: ConsumeMessage, deliveries: Deliveries): void {
    const tag = delivery.fields.deliveryTag;
    if (this.#stopped) return deliveries.giveBack(tag);
    this.#undecided += 1;
    const decided = (verdict: Verdict) => {
      deliveries.settle(tag, verdict);
      this.#undecided -= 1;
      if (this.#undecided === 0) this.#allDecided.forEach((resolve) => resolve());
    };
    const failed = (error: unknown) => {
      this.#logger.error({ err: error }, 'message handler failed; the message is retried');
      decided('retry');
    };
    const message = {
      body: delivery.content,
      attempts: attempts(delivery),
      redelivered: isRedelivered(delivery),
    };
    try {
      this.#handle(message).then(decided, failed);
    } catch (error) {
      failed(error);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    const { channel, deliveries, consumerTag } = this.#subscription ?? {};
    // Each call may find the channel closed already, or a broker that does not answer: it then delivers again.
    if (channel && consumerTag)
      await within(STOP_TIMEOUT_MS, channel.cancel(consumerTag)).catch(() => undefined);
    deliveries?.stopDelaying();
    if (this.#undecided > 0) await new Promise<void>((resolve) => this.#allDecided.add(resolve));
    deliveries?.flush();
    // The broker reads a channel in order: once it has closed it, it has taken every verdict.
    if (channel) await within(STOP_TIMEOUT_MS, channel.close()).catch(() => undefined);
  }
}

function isRedelivered({ fields, properties }: ConsumeMessage): boolean {
  return fields.redelivered || properties.headers?.[REPUBLISHED] === true;
}

/** Quorum queues count deliveries; classic queues only tell a first one from later ones. */
function attempts({ fields, properties }: ConsumeMessage): number {
  const earlier: unknown = properties.headers?.['x-delivery-count'];
  // On a classic queue whoever published the message may have set it, to anything.
  return Math.max(Number.isSafeInteger(earlier) ? Number(earlier) + 1 : 1, fields.redelivered ? 2 : 1);
}

/**
 * Sends the verdicts over the deliveries of one channel. Acks are kept to the end of the event loop's turn; then one
 * frame acknowledges all up to the first undecided delivery, and those behind it get a frame each.
 */
class Deliveries {
  readonly #channel: Channel;
  readonly #retryDelayMs: number;
  readonly #delayed = new Map<number, NodeJS.Timeout>();
  /** Delivery tags count 1, 2, 3... on each channel; everything below this one is decided. */
  #undecided = 1;
  /** What is decided from there on. */
  readonly #decided = new Set<number>();
  #acks: number[] = [];
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
  }

  #ack(tag: number): void {
    if (this.#acks.length === 0) setImmediate(() => this.flush());
    this.#acks.push(tag);
    this.#decided.add(tag);
  }

  #nack(tag: number, requeue: boolean): void {
    this.#decided.add(tag);
    this.#send(() => this.#channel.nack(delivered(tag), false, requeue));
  }

  flush(): void {
    const acks = this.#acks;
    this.#acks = [];
    while (this.#decided.delete(this.#undecided)) this.#undecided++;
    // `multiple` must name a delivery that is still unacknowledged: the latest of this flush, never an earlier nack.
    let latest = 0;
    for (const tag of acks) {
      if (tag >= this.#undecided) this.#send(() => this.#channel.ack(delivered(tag)));
      else if (latest < tag) latest = tag;
    }
    if (latest > 0) this.#send(() => this.#channel.ack(delivered(latest), true));
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
