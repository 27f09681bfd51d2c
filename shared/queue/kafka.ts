import { setTimeout as delay } from 'node:timers/promises';
import { type ISocketFactory, type Kafka, type RetryOptions } from 'kafkajs';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';
import { type AsSent } from '../message.ts';
import { type Logger } from '../logger.ts';
import {
  closeSession,
  configurationFault,
  createClient,
  openSession,
  REQUEST_TIMEOUT_MS,
  RETRY,
  type Session,
} from './kafka-connection.ts';
import { KafkaConsumer } from './kafka-consumer.ts';
import { parseKafkaUrl, type KafkaUrl } from './kafka-url.ts';
import { Packer } from './packer.ts';
import {
  type ConsumeOptions,
  type Consumer,
  type MessageHandler,
  type Queue,
  type QueueOptions,
} from './queue.ts';
import { within } from './within.ts';

const CONNECT_RETRY_MS = 500;
/** About eight seconds: a member that is back within its session keeps its place, and nobody waits for its end. */
const CONSUMER_RETRIES = 10;
/** What is sent to a partition at once is stored as one batch, and brokers refuse a batch above 1 MiB by default. */
const SEND_BYTES_MAX = 768 * 1024;

interface Write {
  key: string;
  value: Buffer;
  resolve: () => void;
  reject: (reason: Error) => void;
  settled: () => void;
}

/**
 * Opens a queue on a Kafka topic, of which each message has a user's id as its key: the order of one user's events is
 * kept. What goes wrong beyond kafkajs's own attempts ends the connections, and they are opened anew.
 */
export async function openKafkaQueue(
  url: string,
  options: QueueOptions,
  logger: Logger,
  socketFactory?: ISocketFactory,
): Promise<Queue> {
  if (!/^[\w.-]{1,249}$/.test(options.name))
    throw new ConfigurationError('QUEUE_NAME: a Kafka topic has letters, digits, ".", "_" and "-" alone');
  const queue = new KafkaQueue(parseKafkaUrl(url), options, logger, socketFactory);
  try {
    await within(REQUEST_TIMEOUT_MS, queue.connect());
  } catch (error) {
    const fault = configurationFault(error as Error, options.name);
    if (fault) {
      await queue.close();
      throw fault;
    }
    logger.warn({ reason: (error as Error).message }, 'Kafka cannot be reached; trying again');
    void queue.connectLater();
  }
  return queue;
}

class KafkaQueue implements Queue {
  readonly #url: KafkaUrl;
  readonly #options: QueueOptions;
  readonly #logger: Logger;
  readonly #createClient: (retry: RetryOptions) => Kafka;
  readonly #packer: Packer;
  readonly #consumers = new Set<KafkaConsumer>();
  readonly #closed = new AbortController();
  #session: Session | undefined;
  #waiting: Write[] = [];
  #writing: Promise<void> | undefined;

  constructor(url: KafkaUrl, options: QueueOptions, logger: Logger, socketFactory?: ISocketFactory) {
    this.#url = url;
    this.#options = options;
    this.#logger = logger;
    this.#createClient = (retry) => createClient(url, retry, logger, socketFactory);
    const keyOf = ({ userId }: ActivityEvent) => userId;
    this.#packer = new Packer({ ...options, keyOf }, (body, settled, key) => this.#send(body, settled, key));
  }

  async connect(): Promise<void> {
    const session = await openSession(this.#createClient(RETRY), this.#options.name, this.#url);
    // An attempt that took too long may be overtaken by the next one.
    if (this.#session || this.#closed.signal.aborted) return closeSession(session);
    this.#session = session;
    this.#logger.info({ topic: this.#options.name }, 'Kafka connected');
  }

  async connectLater(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      try {
        await delay(CONNECT_RETRY_MS, undefined, { signal });
        return await this.connect();
      } catch (error) {
        this.#logger.debug({ reason: (error as Error).message }, 'Kafka cannot be reached');
      }
    }
  }

  #ready(): Session {
    if (this.#closed.signal.aborted) throw new QueueUnavailable('closed');
    if (!this.#session) throw new QueueUnavailable('Kafka is not connected');
    return this.#session;
  }

  /** Gives these connections up and opens others. */
  #reset(session: Session, reason: string): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#logger.warn({ reason }, 'Kafka disconnected');
    void closeSession(session);
    void this.connectLater();
  }

  async publish(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void> {
    this.#ready();
    await this.#packer.add(events, asSent);
  }

  async #send(value: Buffer, settled: () => void, key: string): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ key, value, resolve, reject, settled });
    });
    this.#writing ??= this.#write();
    await within(this.#options.publishTimeoutMs, written);
  }

  /** One request at a time carries what was published during the one before: messages stay in their order. */
  async #write(): Promise<void> {
    for (let writes = this.#takeWrites(); writes.length > 0; writes = this.#takeWrites()) {
      try {
        await this.#produce(writes);
        for (const { resolve } of writes) resolve();
      } catch (error) {
        const fault = new QueueUnavailable((error as Error).message);
        for (const { reject } of writes) reject(fault);
      }
      for (const { settled } of writes) settled();
    }
    this.#writing = undefined;
  }

  /** At least one of those that wait, and more up to what a batch may hold. */
  #takeWrites(): Write[] {
    let bytes = 0;
    const fitting = this.#waiting.findIndex(({ key, value }, index) => {
      bytes += value.length + Buffer.byteLength(key);
      return index > 0 && bytes > SEND_BYTES_MAX;
    });
    return this.#waiting.splice(0, fitting === -1 ? this.#waiting.length : fitting);
  }

  async #produce(writes: Write[]): Promise<void> {
    const session = this.#ready();
    try {
      await session.producer.send({
        topic: this.#options.name,
        acks: -1,
        timeout: REQUEST_TIMEOUT_MS,
        messages: writes.map(({ key, value }) => ({ key, value })),
      });
    } catch (error) {
      // The one fault that is the message's own.
      if ((error as { type?: string }).type !== 'MESSAGE_TOO_LARGE')
        this.#reset(session, (error as Error).message);
      throw error;
    }
  }

  async consume(handle: MessageHandler, options: ConsumeOptions): Promise<Consumer> {
    const { name: topic } = this.#options;
    const group = {
      kafka: this.#createClient({ ...RETRY, retries: CONSUMER_RETRIES }),
      topic,
      groupId: groupOf(topic),
      readMarks: async () => {
        const committed = await this.#committed(this.#ready());
        return new Map(committed.map(({ partition, metadata }) => [partition, metadata ?? '']));
      },
    };
    const consumer = new KafkaConsumer(group, handle, options, this.#logger);
    this.#consumers.add(consumer);
    if (this.#session) await consumer.started();
    return {
      stop: () => {
        this.#consumers.delete(consumer);
        return consumer.stop();
      },
      depth: () => this.#lagOf(new Set(consumer.partitionIds)),
    };
  }

  async #committed({ admin }: Session) {
    const { name } = this.#options;
    const [topic] = await admin.fetchOffsets({ groupId: groupOf(name), topics: [name] });
    return topic?.partitions ?? [];
  }

  async ping(): Promise<void> {
    await this.depth();
  }

  /** The group's lag: messages in work are counted until their offset is committed. */
  depth(): Promise<number> {
    return this.#lagOf();
  }

  /** Of these partitions; of all without them. */
  async #lagOf(partitions?: ReadonlySet<number>): Promise<number> {
    const session = this.#ready();
    const answer = this.#lag(session, partitions).catch(({ message }: Error) => {
      this.#reset(session, message);
      throw new QueueUnavailable(message);
    });
    return within(this.#options.publishTimeoutMs, answer);
  }

  async #lag(session: Session, partitions?: ReadonlySet<number>): Promise<number> {
    const [watermarks, committed] = await Promise.all([
      session.admin.fetchTopicOffsets(this.#options.name),
      this.#committed(session),
    ]);
    const positions = new Map(committed.map(({ partition, offset }) => [partition, Number(offset)]));
    return watermarks.reduce((sum, { partition, high, low }) => {
      if (partitions && !partitions.has(partition)) return sum;
      // Without an offset of its own the group begins with what is there.
      return sum + Number(high) - Math.max(positions.get(partition) ?? 0, Number(low));
    }, 0);
  }

  async close(): Promise<void> {
    this.#packer.flush();
    await within(this.#options.publishTimeoutMs, Promise.resolve(this.#writing)).catch(() => undefined);
    this.#closed.abort();
    await Promise.all(Array.from(this.#consumers, (consumer) => consumer.abandon()));
    const session = this.#session;
    this.#session = undefined;
    if (session) await within(this.#options.publishTimeoutMs, closeSession(session)).catch(() => undefined);
  }
}

/** The consumer group of a topic's workers. */
function groupOf(topic: string): string {
  return `${topic}.workers`;
}
