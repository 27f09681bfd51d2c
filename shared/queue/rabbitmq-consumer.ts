import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { type Logger } from '../logger.ts';
import { type ConsumeOptions, type MessageHandler, type Verdict } from './queue.ts';
import { Deliveries } from './rabbitmq-deliveries.ts';
import { within } from './within.ts';

const STOP_TIMEOUT_MS = 2_000;
/**
 * Messages in hand have about so many bytes: what a worker needs to fill its batches while others are written. What is in
 * hand for longer than V8 takes to collect its young garbage twice is promoted, and weighs until the old is collected.
 */
const BYTES_IN_HAND = 768 * 1024;
/** So many messages are asked for before their size is known, and tell it. */
const FIRST_MESSAGES = 32;
/** The mean size follows about so many messages. */
const MEAN_OF_MESSAGES = 64;
/** A consumer is not replaced by one with another prefetch more often than this. */
const ADJUST_EVERY_MS = 1000;
/**
 * A consumer is cancelled when all that it may have has arrived, and its successor starts when nothing is in hand any more,
 * or each after so long; it is looked so often.
 */
const SETTLE_MS = 100;
const SETTLE_EVERY_MS = 5;

/** The header of a message that may have been delivered before as another one. */
export const REPUBLISHED = 'x-republished';

interface Subscription {
  model: ChannelModel;
  channel: Channel;
  deliveries: Deliveries;
  consumerTag: string;
  prefetch: number;
  since: number;
}

/**
 * A consumer that is started again, on a channel of its own, on each new connection.
 *
 * AMQP bounds what is in hand by its messages only, and RabbitMQ for each consumer from its beginning on. So one that turns
 * out to have too many or too few for their size is replaced by another on the same channel: with a thousand messages of
 * 100 events in hand a worker took 239 MB in place of 134.
 */
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
  #subscription: Subscription | undefined;
  #adjusting: Promise<void> | undefined;
  #received = 0;
  #meanBytes = 0;
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
    const prefetch = Math.min(this.#options.prefetch, FIRST_MESSAGES);
    const subscription = { model, channel, deliveries, consumerTag: '', prefetch, since: -Infinity };
    this.#received = 0;
    await this.#consume(subscription);
    this.#subscription = subscription;
    if (this.#stopped) await this.#end();
    else this.#adjust();
  }

  async #consume(subscription: Subscription): Promise<void> {
    const { model, channel, deliveries, prefetch } = subscription;
    await channel.prefetch(prefetch);
    const { consumerTag } = await channel.consume(this.#queue, (delivery) => {
      if (delivery === null) this.#lost(model, 'consumer cancelled by the broker');
      else this.#receive(delivery, deliveries);
    });
    subscription.consumerTag = consumerTag;
  }

  /** Has as many messages in hand as their size allows, where that is not about what it has. */
  #adjust(): void {
    const subscription = this.#subscription;
    if (!subscription || this.#adjusting || this.#stopped || this.#received < FIRST_MESSAGES) return;
    const { prefetch, since } = subscription;
    const fitting = Math.max(1, Math.floor(BYTES_IN_HAND / this.#meanBytes));
    const wanted = Math.min(this.#options.prefetch, fitting);
    if (wanted > prefetch / 2 && wanted < prefetch * 1.5) return;
    if (performance.now() - since < ADJUST_EVERY_MS) return;
    const replacing = this.#replace(subscription, wanted);
    // A channel that closes meanwhile is opened anew by who hears of it.
    this.#adjusting = replacing.catch(() => undefined).then(() => (this.#adjusting = undefined));
  }

  async #replace(subscription: Subscription, wanted: number): Promise<void> {
    const { channel, deliveries, consumerTag, prefetch } = subscription;
    // What is on its way to a consumer that is gone, a quorum queue takes back and delivers again, behind what came after
    // it. Nothing is once all that the consumer may have has arrived.
    deliveries.hold();
    const arrived = performance.now() + SETTLE_MS;
    while (deliveries.unacknowledged < prefetch && performance.now() < arrived) await delay(SETTLE_EVERY_MS);
    await channel.cancel(consumerTag);
    deliveries.release();
    // What is in hand stays with the consumer that is gone, and may be all that is allowed. By as much the next one
    // has less as long as it lives: two writes of 500 events, and a third that is ready behind them, need all of 1500
    // messages of one.
    const inHand = () => this.#undecided + deliveries.delayed;
    const settled = performance.now() + SETTLE_MS;
    while (inHand() > 0 && (performance.now() < settled || inHand() >= this.#options.prefetch))
      await delay(SETTLE_EVERY_MS);
    subscription.prefetch = Math.max(1, wanted - inHand());
    await this.#consume(subscription);
    subscription.since = performance.now();
  }

  /** Of each message no more is kept than its tag and one promise: more than a thousand wait for the store at a time. */
  #receive(delivery: ConsumeMessage, deliveries: Deliveries): void {
    const tag = delivery.fields.deliveryTag;
    deliveries.unacknowledged += 1;
    if (this.#stopped) return deliveries.giveBack(tag);
    this.#undecided += 1;
    this.#received += 1;
    const share = 1 / Math.min(this.#received, MEAN_OF_MESSAGES);
    this.#meanBytes += (delivery.content.length - this.#meanBytes) * share;
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
    this.#adjust();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    await within(STOP_TIMEOUT_MS, this.#adjusting ?? Promise.resolve()).catch(() => undefined);
    const { channel, deliveries, consumerTag } = this.#subscription ?? {};
    // Each call may find the channel closed already, or a broker that does not answer: it then delivers again.
    if (channel && consumerTag)
      await within(STOP_TIMEOUT_MS, channel.cancel(consumerTag)).catch(() => undefined);
    deliveries?.stopDelaying();
    if (this.#undecided > 0) await new Promise<void>((resolve) => this.#allDecided.add(resolve));
    deliveries?.release();
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
