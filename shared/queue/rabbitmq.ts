import { randomUUID } from 'node:crypto';
import { connect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { type Logger } from '../logger.ts';
import { type ActivityEvent } from '../event.ts';
import { type AsSent } from '../message.ts';
import { Packer } from './packer.ts';
import {
  type ConsumeOptions,
  type Consumer,
  type MessageHandler,
  type Queue,
  type QueueOptions,
} from './queue.ts';
import {
  configurationFault,
  followAttempts,
  NOT_FOUND,
  queueProperties,
  queueExists,
  waitUntilWritten,
  withHeartbeat,
} from './rabbitmq-connection.ts';
import { RabbitmqConsumer, REPUBLISHED } from './rabbitmq-consumer.ts';
import { writeInTurn } from './rabbitmq-writes.ts';
import { RecentMessages } from './recent.ts';
import { within } from './within.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_DELAY_MIN_MS = 200;
const RECONNECT_DELAY_MAX_MS = 5_000;

/** A connection that is ready to be used, until it closes or is given up. */
interface Session {
  model: ChannelModel;
  publishing: ConfirmChannel;
  /** A check that fails closes its channel, which must not be the one of the publishes. */
  checking: Channel;
  blocked: boolean;
}

/**
 * Opens a queue on RabbitMQ. The connection is opened again by amqplib's own recovery; each time the queue is
 * declared and the consumers are started anew. What goes wrong with a channel while the connection lives ends the
 * connection too, so that there is one way to get well again.
 */
export async function openRabbitmqQueue(url: string, options: QueueOptions, logger: Logger): Promise<Queue> {
  const queue = new RabbitmqQueue(options, logger);
  await queue.connect(withHeartbeat(url));
  return queue;
}

class RabbitmqQueue implements Queue {
  readonly #options: QueueOptions;
  readonly #logger: Logger;
  readonly #consumers = new Set<RabbitmqConsumer>();
  /** Ends the publish of a message id that has neither been confirmed, returned nor given up. */
  readonly #pending = new Map<string, (fault?: string) => void>();
  readonly #packer: Packer;
  /** RabbitMQ also confirms what reaches a queue while it is being deleted. So this is published again then. */
  readonly #recent = new RecentMessages();
  /** The queue is on the broker's disk, as far as is known. */
  #queueKept = false;
  #session: Session | undefined;
  #closing = false;
  #disconnect: () => Promise<void> = () => Promise.resolve();

  constructor(options: QueueOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.#packer = new Packer(options, (body, settled) => this.#send(body, settled));
  }

  /** Resolves after the first attempt, unless it failed for good. */
  async connect(url: string): Promise<void> {
    const connection = await connect(url, {
      noDelay: true,
      timeout: CONNECT_TIMEOUT_MS,
      recovery: {
        initialDelay: RECONNECT_DELAY_MIN_MS,
        maxDelay: RECONNECT_DELAY_MAX_MS,
        jitter: 0.5,
        waitForConnect: false,
        setup: (model: ChannelModel) => this.#setUp(model),
      },
    });
    const attemptEnds = followAttempts(connection);
    // A connection that opens after amqplib was told to close has nobody who listens to its errors, and one of them would
    // end the process: so an attempt that is under way is let come to its end.
    this.#disconnect = () => attemptEnds().then(() => connection.close());
    // The reason is logged on disconnect; without a listener it would end the process.
    connection.on('error', () => undefined);
    connection.on('disconnect', ({ message }) =>
      this.#logger.warn({ reason: message }, 'RabbitMQ disconnected'),
    );

    let first = true;
    try {
      await new Promise<void>((resolve, reject) => {
        connection.on('connect', () => {
          this.#logger.info({ queue: this.#options.name }, 'RabbitMQ connected');
          first = false;
          resolve();
        });
        connection.on('connect-failed', (error) => {
          const fault = configurationFault(error, this.#options.name);
          if (first && fault) return reject(new ConfigurationError(fault));
          this.#logger.warn({ reason: fault ?? error.message }, 'RabbitMQ cannot be reached; trying again');
          first = false;
          resolve();
        });
      });
    } catch (error) {
      await this.#disconnect();
      throw error;
    }
  }

  /** Runs on each new connection, before amqplib itself listens to it. */
  async #setUp(model: ChannelModel): Promise<void> {
    writeInTurn(model);
    let isClosed = false;
    model.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => {
      model.on('close', () => {
        isClosed = true;
        if (this.#session?.model === model) this.#session = undefined;
        resolve();
      });
    });
    try {
      if (this.#closing) throw new QueueUnavailable('closed');
      const checking = await model.createChannel();
      this.#watch(checking, model);
      const { name, type } = this.#options;
      this.#queueKept &&= await queueExists(model, name);
      await checking.assertQueue(name, queueProperties(type));
      if (!this.#queueKept) await waitUntilWritten(model, this.#options, this.#logger);
      const publishing = await model.createConfirmChannel();
      this.#watch(publishing, model);
      publishing.on('return', ({ properties }) => {
        this.#pending.get(properties.messageId as string)?.(`queue ${name} does not exist`);
        this.#queueKept = false;
        this.#reset(model, 'queue deleted');
      });
      const session: Session = { model, publishing, checking, blocked: false };
      model.on('blocked', (reason) => {
        session.blocked = true;
        this.#logger.warn({ reason }, 'RabbitMQ takes no messages');
      });
      model.on('unblocked', () => {
        session.blocked = false;
        this.#logger.info('RabbitMQ takes messages again');
      });
      this.#session = session;
      if (!this.#queueKept) {
        this.#queueKept = true;
        this.#publishRecentAgain();
      }
      for (const consumer of this.#consumers) await consumer.start(model);
      if (isClosed) throw new Error('connection closed while it was set up');
    } catch (error) {
      // amqplib would close the connection and wait for the broker's answer, which a dead broker never gives.
      model.close().catch(() => undefined);
      await within(CONNECT_TIMEOUT_MS, closed).catch(() => undefined);
      throw error;
    }
  }

  #watch(channel: Channel, model: ChannelModel): void {
    channel.on('error', ({ message, code }: Error & { code?: unknown }) => {
      this.#queueKept &&= code !== NOT_FOUND;
      this.#logger.warn({ reason: message }, 'RabbitMQ closed a channel');
    });
    channel.on('close', () => this.#reset(model));
  }

  /** Gives the connection up; recovery opens another one after its shortest delay. */
  #reset(model: ChannelModel, reason?: string): void {
    if (this.#session?.model === model) {
      this.#session = undefined;
      if (reason) this.#logger.warn({ reason }, 'RabbitMQ connection is set up again');
    }
    // Later, because channels also close while the connection does, and then there is nothing left to close.
    setImmediate(() => void model.close().catch(() => undefined));
  }

  #ready(): Session {
    if (this.#closing) throw new QueueUnavailable('closed');
    if (!this.#session) throw new QueueUnavailable('RabbitMQ is not connected');
    // Also nothing but publishing: a broker that blocks a connection reads nothing at all from it.
    if (this.#session.blocked) throw new QueueUnavailable('RabbitMQ takes no messages (resource alarm)');
    return this.#session;
  }

  /** An async function would keep the events until their confirm. */
  publish(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void> {
    try {
      this.#ready();
      return this.#packer.add(events, asSent);
    } catch (error) {
      const fault = error as Error;
      return Promise.reject(fault);
    }
  }

  #publishRecentAgain(): void {
    const bodies = this.#recent.take();
    if (bodies.length === 0) return;
    this.#logger.info({ messages: bodies.length }, 'publishing again what was confirmed last');
    for (const body of bodies) {
      this.#send(body, () => undefined, { [REPUBLISHED]: true }).catch(() => {
        this.#recent.add(body);
        this.#queueKept = false;
      });
    }
  }

  /** `settled` once the broker has confirmed or the channel has closed, also when the publish was given up before. */
  async #send(body: Buffer, settled: () => void, headers?: Record<string, true>): Promise<void> {
    const { name, publishTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const messageId = randomUUID();
      const end = (fault?: string) => {
        clearTimeout(timer);
        this.#pending.delete(messageId);
        if (fault === undefined) resolve();
        else reject(new QueueUnavailable(fault));
      };
      const timer = setTimeout(() => end(`no confirm within ${publishTimeoutMs} ms`), publishTimeoutMs);
      const confirmed = (error: Error | null) => {
        settled();
        // A message that came back was ended by that, and its confirmation says nothing.
        if (!error && this.#pending.has(messageId)) this.#recent.add(body);
        end(error?.message);
      };
      this.#pending.set(messageId, end);
      try {
        const properties = {
          persistent: true,
          mandatory: true,
          contentType: 'application/json',
          messageId,
          headers,
        };
        this.#ready().publishing.sendToQueue(name, body, properties, confirmed);
      } catch (error) {
        confirmed(error as Error);
      }
    });
  }

  async consume(handle: MessageHandler, options: ConsumeOptions): Promise<Consumer> {
    const lost = (model: ChannelModel, reason?: string) => this.#reset(model, reason);
    const consumer = new RabbitmqConsumer(this.#options.name, handle, options, this.#logger, lost);
    this.#consumers.add(consumer);
    const model = this.#session?.model;
    if (model) await consumer.start(model).catch(({ message }: Error) => this.#reset(model, message));
    return {
      stop: () => {
        this.#consumers.delete(consumer);
        return consumer.stop();
      },
    };
  }

  async ping(): Promise<void> {
    await this.depth();
  }

  async depth(): Promise<number> {
    const { checking } = this.#ready();
    const check = checking.checkQueue(this.#options.name).catch(({ message }: Error) => {
      throw new QueueUnavailable(message);
    });
    return (await within(this.#options.publishTimeoutMs, check)).messageCount;
  }

  async close(): Promise<void> {
    const { publishTimeoutMs } = this.#options;
    this.#packer.flush();
    this.#closing = true;
    const confirms = this.#session?.publishing.waitForConfirms();
    await within(publishTimeoutMs, Promise.resolve(confirms)).catch(() => undefined);
    const model = this.#session?.model;
    this.#session = undefined;
    const closed = new Promise<void>((resolve) => void model?.once('close', resolve));
    // A broker that dies now answers nothing; the connection's end is as good as its answer.
    await within(publishTimeoutMs, Promise.race([this.#disconnect(), closed])).catch(() => undefined);
  }
}
