import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, connect } from 'amqplib';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { type Binary, type Db, type Document, MongoClient } from 'mongodb';
import { createPool } from 'mysql2/promise';
import { Client, Pool } from 'pg';
import { findKafka } from './services/kafka-jars.ts';
import { type ServiceName } from './services/start-all.ts';

/** A kind of queue, seen from outside: by its own client, not by the driver that is being tried. */
interface Broker {
  service: ServiceName;
  /** QUEUE_URL of a queue on this server; `name` is its QUEUE_NAME. */
  url(server: string, name: string): string;
  /** Messages that wait. Those that a worker has in work count too, except on RabbitMQ. */
  depth(server: string, name: string): Promise<number>;
  remove(server: string, name: string): Promise<void>;
  version(server: string): Promise<string>;
}

/** A kind of store, seen from outside. */
interface Store {
  service: ServiceName;
  /** Makes a database of this name on the server where it is missing. */
  open(server: string, name: string): Promise<OpenStore>;
}

/** One database. The server may be killed and come back meanwhile. */
export interface StoreReader {
  countActivities: () => Promise<number>;
  countDeadLetters: () => Promise<number>;
  /** As they are in MongoDB, whatever the columns of a table are called. */
  activities(): AsyncIterable<Document>;
  deadLetters(): Promise<DeadLetterFound[]>;
  version(): Promise<string>;
  /** Drops the database. */
  remove(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenStore extends StoreReader {
  /** STORE_URL of the programs. */
  readonly url: string;
}

export interface DeadLetterFound {
  id: string;
  eventId: string | null;
  reason: string;
  error: string;
  body: Buffer;
  attempts: number;
}

const SERVER_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 20_000;

export const brokers = {
  rabbitmq: {
    service: 'rabbitmq',
    url: (server) => server,
    depth: (server, name) =>
      onChannel(server, async (channel) => (await channel.checkQueue(name)).messageCount),
    remove: (server, name) => onChannel(server, async (channel) => void (await channel.deleteQueue(name))),
    async version(server) {
      const connection = await connect(server);
      const { version } = connection.connection.serverProperties;
      await connection.close();
      return `RabbitMQ ${version}`;
    },
  },
  kafka: {
    service: 'kafka',
    url: (server) => server,
    depth: (server, name) => asAdmin(server, (admin) => lagOf(admin, name)),
    remove: (server, name) =>
      asAdmin(server, async (admin) => {
        // A group that nobody has joined is not there.
        await admin.deleteGroups([groupOf(name)]).catch(() => undefined);
        await admin.deleteTopics({ topics: [name] });
      }),
    // Its jars lie in a folder with their version; the protocol does not tell it.
    version: async () => `Kafka ${path.basename(await findKafka()).replace('kafka-', '')}`,
  },
  'mongodb-queue': {
    service: 'mongodb',
    url: (server, name) => `${server}/${name}_queue`,
    depth: (server, name) =>
      onMongodb(server, (client) => client.db(`${name}_queue`).collection(name).countDocuments()),
    remove: (server, name) =>
      onMongodb(server, async (client) => void (await client.db(`${name}_queue`).dropDatabase())),
    version: (server) => onMongodb(server, mongodbVersion),
  },
} satisfies Record<string, Broker>;

export const stores = {
  mongodb: {
    service: 'mongodb',
    open: (server, name) =>
      Promise.resolve({ ...readMongodb(mongodbClient(server).db(name)), url: `${server}/${name}` }),
  },
  postgres: { service: 'postgres', open: openPostgres },
  mysql: { service: 'mysql', open: openMysql },
} satisfies Record<string, Store>;

export type BrokerName = keyof typeof brokers;
export type StoreName = keyof typeof stores;

/** What the programs can be run on. Memory with memory has no processes: the tests of processor and worker have it. */
export interface Pair {
  name: `${BrokerName}+${StoreName}`;
  broker: BrokerName;
  store: StoreName;
}

export const pairs: readonly Pair[] = (Object.keys(brokers) as BrokerName[]).flatMap((broker) =>
  (Object.keys(stores) as StoreName[]).map((store): Pair => ({ name: `${broker}+${store}`, broker, store })),
);
export const defaultPair: Pair = { name: 'rabbitmq+mongodb', broker: 'rabbitmq', store: 'mongodb' };

async function onChannel<T>(server: string, use: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await connect(server);
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    return await use(channel);
  } finally {
    await connection.close();
  }
}

/** Of the workers, as the driver calls it. */
const groupOf = (topic: string) => `${topic}.workers`;

async function asAdmin<T>(server: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new Kafka({ brokers: [server.replace('kafka://', '')], logLevel: logLevel.NOTHING });
  const admin = kafka.admin({ retry: { retries: 3 } });
  try {
    await admin.connect();
    for (const deadline = Date.now() + SERVER_TIMEOUT_MS; ; await delay(50)) {
      try {
        return await use(admin);
      } catch (error) {
        // A topic or a group that is new, or a broker that has just come back.
        const { type = '' } = error as { type?: string };
        const isEarly = ['NOT_LEADER_FOR_PARTITION', 'GROUP_LOAD_IN_PROGRESS'].includes(type);
        if (!isEarly || Date.now() > deadline) throw error;
      }
    }
  } finally {
    await admin.disconnect();
  }
}

async function lagOf(admin: Admin, topic: string): Promise<number> {
  const ends = await admin.fetchTopicOffsets(topic);
  const [committed] = await admin.fetchOffsets({ groupId: groupOf(topic), topics: [topic] });
  return ends.reduce((sum, { partition, low, high }) => {
    const offset = Number(committed?.partitions.find((one) => one.partition === partition)?.offset ?? -1);
    return sum + Number(high) - Math.max(offset, Number(low));
  }, 0);
}

const mongodbClient = (server: string) =>
  new MongoClient(server, {
    serverSelectionTimeoutMS: SERVER_TIMEOUT_MS,
    socketTimeoutMS: SOCKET_TIMEOUT_MS,
  });

async function onMongodb<T>(server: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = mongodbClient(server);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

async function mongodbVersion(client: MongoClient): Promise<string> {
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  return `MongoDB engine ${String(version)}`;
}

interface LetterDocument extends Omit<DeadLetterFound, 'id' | 'body'> {
  _id: string;
  body?: Binary;
}

/** Reads a database of a client that somebody else has opened. */
export function readMongodb(db: Db): StoreReader {
  return {
    countActivities: () => db.collection('activities').countDocuments(),
    countDeadLetters: () => db.collection('dead_letters').countDocuments(),
    activities: () => db.collection('activities').find(),
    async deadLetters() {
      const letters = await db.collection<LetterDocument>('dead_letters').find().toArray();
      return letters.map(({ _id, body, ...rest }) => ({
        ...rest,
        id: String(_id),
        body: Buffer.from(body?.buffer ?? []),
      }));
    },
    version: () => mongodbVersion(db.client),
    remove: async () => void (await db.dropDatabase()),
    close: () => db.client.close(),
  };
}

type Row = Record<string, unknown>;
type RunSql = (sql: string) => Promise<Row[]>;

async function openPostgres(server: string, name: string): Promise<OpenStore> {
  const asOwner = async (sql: string) => {
    const client = new Client({ connectionString: `${server}/postgres` });
    await client.connect();
    const found = client.query<Row>(sql).finally(() => client.end());
    return (await found).rows;
  };
  const isThere = await asOwner(`select 1 from pg_database where datname = '${name}'`);
  if (isThere.length === 0) await asOwner(`create database ${name}`);
  const url = `${server}/${name}`;
  const pool = new Pool({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: SERVER_TIMEOUT_MS,
    query_timeout: SOCKET_TIMEOUT_MS,
    options: '-c timezone=UTC',
  });
  // A connection that breaks while nobody uses it is replaced.
  pool.on('error', () => undefined);
  return {
    ...readSql(async (sql) => (await pool.query<Row>(sql)).rows, 'user_events', 'payload'),
    url,
    version: async () =>
      `PostgreSQL ${String((await asOwner('show server_version'))[0]?.server_version).split(' ', 1)[0]}`,
    remove: async () => void (await asOwner(`drop database ${name} with (force)`)),
    close: () => pool.end(),
  };
}

async function openMysql(server: string, name: string): Promise<OpenStore> {
  const pool = createPool({
    uri: `${server}/mysql`,
    connectionLimit: 1,
    connectTimeout: SERVER_TIMEOUT_MS,
    timezone: 'Z',
  });
  const run: RunSql = async (sql) => (await pool.query({ sql, timeout: SOCKET_TIMEOUT_MS }))[0] as Row[];
  await run(`create database if not exists ${name}`);
  return {
    ...readSql(run, `${name}.user_activities`, 'metadata', `${name}.dead_letters`),
    url: `${server}/${name}`,
    version: async () =>
      `MariaDB ${String((await run('select version() as version'))[0]?.version).split('-', 1)[0]}`,
    remove: async () => void (await run(`drop database ${name}`)),
    close: () => pool.end(),
  };
}

/** The columns of an activity beside its payload. */
const columns = `event_id, user_id, event_type, timestamp, source, received_at, processed_at, attempts, redelivered,
  worker, request_id, ip, user_agent`;

function readSql(run: RunSql, table: string, payload: string, letters = 'dead_letters') {
  const countOf = async (name: string) => Number((await run(`select count(*) as n from ${name}`))[0]?.n);
  return {
    countActivities: () => countOf(table),
    countDeadLetters: () => countOf(letters),
    async *activities() {
      for (const row of await run(`select ${columns}, ${payload} as payload from ${table}`))
        yield toDocument(row);
    },
    async deadLetters() {
      const rows = await run(`select id, event_id, reason, error, body, attempts from ${letters}`);
      return rows.map(({ event_id, attempts, ...rest }) => ({
        ...(rest as Pick<DeadLetterFound, 'id' | 'reason' | 'error' | 'body'>),
        eventId: event_id as string | null,
        attempts: Number(attempts),
      }));
    },
  };
}

function toDocument(row: Row): Document {
  const { event_id, user_id, event_type, timestamp, payload, source } = row;
  const { received_at, processed_at, attempts, redelivered, worker, request_id, ip, user_agent } = row;
  return {
    ...{ _id: event_id, eventId: event_id, userId: user_id, eventType: event_type, timestamp, source },
    // PostgreSQL's client has parsed it already.
    payload: typeof payload === 'string' ? (JSON.parse(payload) as unknown) : payload,
    processing: {
      ...{ receivedAt: received_at, processedAt: processed_at, attempts: Number(attempts) },
      // MySQL knows 0 and 1 alone.
      ...{ redelivered: Boolean(redelivered), worker, requestId: request_id, ip, userAgent: user_agent },
    },
  };
}
