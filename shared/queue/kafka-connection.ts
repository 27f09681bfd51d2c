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
import { ConfigurationError } from '../errors.ts';
import { type Logger } from '../logger.ts';
import { type KafkaUrl } from './kafka-url.ts';

const CONNECT_TIMEOUT_MS = 3_000;
/** A broker that hangs is given up after this time. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** kafkajs nests its attempts, each level with these: a leader that changes is followed, a broker that is gone told of. */
export const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 };

/** A partition without a leader is waited for so often; after that it is left to the attempts at each use. */
const LEADERS_TRIES = 20;
const LEADERS_PAUSE_MS = 100;

/** Of a topic that is created here: more than the largest event that BODY_BYTES_MAX can let in. */
const TOPIC_MESSAGE_BYTES_MAX = 9 * 1024 * 1024;

export interface Session {
  producer: Producer;
  admin: Admin;
}

export function createClient(
  { brokers, ssl, sasl }: KafkaUrl,
  retry: RetryOptions,
  logger: Logger,
  socketFactory?: ISocketFactory,
): Kafka {
  return new Kafka({
    clientId: 'event-tracker',
    brokers,
    ssl,
    ...(sasl && { sasl }),
    ...(socketFactory && { socketFactory }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry,
    logLevel: logLevel.INFO,
    // What matters of it is told by the driver, once for each time that it happens.
    logCreator: () => (entry) => logger.debug({ kafkajs: entry.log }, entry.log.message),
  });
}

/** Connects, and makes sure of the topic. The producer is not idempotent: see docs/decisions/10-kafka.md. */
export async function openSession(kafka: Kafka, topic: string, url: KafkaUrl): Promise<Session> {
  const admin = kafka.admin();
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  try {
    await admin.connect();
    await prepareTopic(admin, topic, url);
    await waitForLeaders(admin, topic);
    await producer.connect();
  } catch (error) {
    void closeSession({ admin, producer });
    throw error;
  }
  return { admin, producer };
}

export async function closeSession({ producer, admin }: Session): Promise<void> {
  await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
}

/** Creates the topic where it is missing. One that drops messages of a key that has newer ones is no queue. */
async function prepareTopic(
  admin: Admin,
  name: string,
  { partitions, replicationFactor }: KafkaUrl,
): Promise<void> {
  const topics = await admin.listTopics();
  if (!topics.includes(name)) {
    await admin.createTopics({
      // It asks for them once, and fails where the topic is not known yet; see `waitForLeaders`.
      waitForLeaders: false,
      topics: [
        {
          topic: name,
          numPartitions: partitions,
          ...(replicationFactor && { replicationFactor }),
          configEntries: [
            { name: 'cleanup.policy', value: 'delete' },
            { name: 'max.message.bytes', value: String(TOPIC_MESSAGE_BYTES_MAX) },
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

/**
 * A broker is named as the leader of a partition before it leads. Of what is sent meanwhile a part may be taken, and
 * all of it is sent again.
 */
async function waitForLeaders(admin: Admin, topic: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await admin.fetchTopicOffsets(topic);
      return;
    } catch (error) {
      if (!(error as { retriable?: boolean }).retriable) throw error;
      if (tries === LEADERS_TRIES) return;
      await delay(LEADERS_PAUSE_MS);
    }
  }
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
