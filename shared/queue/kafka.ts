import { setTimeout as delay } from 'node:timers/promises';
import {
  ConfigResourceTypes,
  Kafka,
  KafkaJSAggregateError,
  KafkaJSNotImplemented,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
  logLevel,
  Partitioners,
  type Admin,
  type ISocketFactory,
  type Producer,
  type RetryOptions,
} from 'kafkajs';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';
import { type Logger } from '../logger.ts';
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

const CONNECT_TIMEOUT_MS = 3_000;
/** A broker that hangs is given up after this time. */
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECT_RETRY_MS = 500;
/** kafkajs nests its attempts, each level with these: a leader that changes is followed, a broker that is gone told of. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 };
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

interface Session {
  producer: Producer;
  admin: Admin;
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
    await queue.connect();
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
  readonly #kafka: Kafka;
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
    this.#createClient = (retry) =>
      new Kafka({
        clientId: 'event-tracker',
        brokers: url.brokers,
        ssl: url.ssl,
        ...(url.sasl && { sasl: url.sasl }),
        ...(socketFactory && { socketFactory }),
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        retry,
        logLevel: logLevel.INFO,
        // What matters of it is told by this driver, once for each time that it happens.
        logCreator: () => (entry) => logger.debug({ kafkajs: entry.log }, entry.log.message),
      });
    this.#kafka = this.#createClient(RETRY);
    const keyOf = ({ userId }: ActivityEvent) => userId;
    this.#packer = new Packer({ ...options, keyOf }, (body, settled, key) => this.#send(body, settled, key));
  }

  async connect(): Promise<void> {
    const admin = this.#kafka.admin();
    const producer = this.#kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    try {
      await admin.connect();
      await this.#prepareTopic(admin);
      await producer.connect();
    } catch (error) {
      void admin.disconnect().catch(() => undefined);
      void producer.disconnect().catch(() => undefined);
      throw error;
    }
    this.#session = { admin, producer };
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

  /** Creates the topic where it is missing. One that drops messages of a key that has newer ones is no queue. */
  async #prepareTopic(admin: Admin): Promise<void> {
    const { name } = this.#options;
    const { partitions, replicationFactor } = this.#url;
    const topics = await admin.listTopics();
    if (!topics.includes(name)) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: [
          {
            topic: name,
            numPartitions: partitions,
            ...(replicationFactor && { replicationFactor }),
            configEntries: [
              { name: 'cleanup.policy', value: 'delete' },
              // With one replica away everything goes on; a confirm is never that of a single one of several.
              ...(replicationFactor && replicationFactor > 2
                ? [{ name: 'min.insync.replicas', value: '2' }]
                : []),
            ],
          },
        ],
      });
      return;
    }
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name, configNames: ['cleanup.policy'] }],
    });
    const policy = resources[0]?.configEntries[0]?.configValue ?? '';
    if (policy.includes('compact')) {
      throw new ConfigurationError(
        `QUEUE_NAME: topic ${name} has cleanup.policy=${policy} and would lose all but the last message of a user; set it to delete, or name another topic`,
      );
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
    disconnect(session);
    void this.connectLater();
  }

  async publish(events: readonly ActivityEvent[]): Promise<void> {
    this.#ready();
    await this.#packer.add(events);
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
  async depth(): Promise<number> {
    const session = this.#ready();
    const answer = this.#lag(session).catch(({ message }: Error) => {
      this.#reset(session, message);
      throw new QueueUnavailable(message);
    });
    return within(this.#options.publishTimeoutMs, answer);
  }

  async #lag(session: Session): Promise<number> {
    const [watermarks, committed] = await Promise.all([
      session.admin.fetchTopicOffsets(this.#options.name),
      this.#committed(session),
    ]);
    const positions = new Map(committed.map(({ partition, offset }) => [partition, Number(offset)]));
    return watermarks.reduce((sum, { partition, high, low }) => {
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
    if (session) await within(this.#options.publishTimeoutMs, disconnect(session)).catch(() => undefined);
  }
}

async function disconnect({ producer, admin }: Session): Promise<void> {
  await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
}

/** The consumer group of a topic's workers. */
function groupOf(topic: string): string {
  return `${topic}.workers`;
}

/** What a setting is to blame for, where trying again cannot help. */
export function configurationFault(error: Error, topic: string): ConfigurationError | undefined {
  if (error instanceof ConfigurationError) return error;
  if (error instanceof KafkaJSAggregateError) return configurationFault(error.errors[0] as Error, topic);
  const { cause } = error;
  if (error instanceof KafkaJSSASLAuthenticationError)
    return new ConfigurationError(`QUEUE_URL: Kafka refuses the user or the password (${error.message})`);
  if (error instanceof KafkaJSServerDoesNotSupportApiKey || error instanceof KafkaJSNotImplemented)
    return new ConfigurationError(
      `QUEUE_URL: this broker is of a version that cannot be used (${error.message})`,
    );
  const type = (error as { type?: string }).type;
  if (type === 'TOPIC_AUTHORIZATION_FAILED' || type === 'CLUSTER_AUTHORIZATION_FAILED')
    return new ConfigurationError(
      `QUEUE_URL: its user may not use or create topic ${topic} (${error.message})`,
    );
  if (type === 'INVALID_REPLICATION_FACTOR' || type === 'INVALID_PARTITIONS')
    return new ConfigurationError(`QUEUE_URL: topic ${topic} cannot be created (${error.message})`);
  return cause instanceof Error ? configurationFault(cause, topic) : undefined;
}
