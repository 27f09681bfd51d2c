import { type Channel, connect } from 'amqplib';
import { type Db, MongoClient } from 'mongodb';
import { startMongod } from '../mongod/start.ts';
import { freePort } from '../services/free-port.ts';
import { startRabbitmq, type Rabbitmq } from '../services/rabbitmq.ts';
import { startRedis } from '../services/redis.ts';
import { type Service } from '../services/service.ts';
import { type Mutant } from './options.ts';
import { createPart, type Part } from './part.ts';
import { api, type Program, startProgram, worker } from './programs.ts';

/** The servers that the rows share; each row has a queue and a database of its own on them. */
export interface Servers {
  broker: Part & { service: Rabbitmq };
  redis: Part;
  database: Part;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const started: Service[] = [];
  const keep = async <T extends Service>(starting: Promise<T>): Promise<T> => {
    const service = await starting;
    started.push(service);
    return service;
  };
  const stop = async () => void (await Promise.all(started.map((service) => service.stop())));
  const all = await Promise.allSettled([keep(startRabbitmq()), keep(startRedis()), keep(startMongod())]);
  const failed = all.find((result) => result.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const [rabbitmq, redis, mongod] = all.map((result) => (result as PromiseFulfilledResult<Service>).value);
  return {
    broker: createPart('broker', rabbitmq!) as Servers['broker'],
    redis: createPart('redis', redis!),
    database: createPart('database', mongod!),
    stop,
  };
}

/** One row's system: the servers, two APIs and two workers. */
export interface Stack {
  broker: Servers['broker'];
  redis: Part;
  database: Part;
  apis: Program[];
  workers: Program[];
  /** Where both APIs take events, once they run. */
  urls: string[];
  queueName: string;
  db: Db;
  /** What ended without having been killed. */
  readonly ended: string[];
  startApis(): Promise<void>;
  startWorkers(): Promise<void>;
  /** Mends all that is broken. */
  mend(): Promise<void>;
  /** Ends the programs and removes what they left on the servers. */
  stop(): Promise<void>;
}

export interface StackOptions {
  name: string;
  database: Part;
  /** Of the connections to the broker. */
  heartbeatS: number;
  mutant: Mutant | undefined;
}

export async function createStack(
  servers: Servers,
  { name, database, heartbeatS, mutant }: StackOptions,
): Promise<Stack> {
  const { broker, redis } = servers;
  const settings = {
    RABBITMQ_URL: `${broker.service.url}?heartbeat=${heartbeatS}`,
    REDIS_URL: redis.service.url,
    DATABASE_URL: `${database.service.url}/${name}`,
    QUEUE_NAME: name,
    LOG_LEVEL: 'warn',
    // Every request is counted in Redis; none is over the limit, although all come from one address.
    RATE_LIMIT_MAX_REQUESTS: '100000000',
  };
  const client = new MongoClient(database.service.url, {
    serverSelectionTimeoutMS: 10_000,
    socketTimeoutMS: 20_000,
  });
  const ended: string[] = [];
  const onEnd = (words: string) => void ended.push(words);
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const;
  const start = (kind: typeof api, first: number) =>
    Promise.all(
      [1, 2].map((number) =>
        startProgram(`${kind.name}-${number}`, kind, ports[first + number - 1]!, settings, mutant, onEnd),
      ),
    );
  const stack: Stack = {
    ...{ broker, redis, database, queueName: name, ended },
    ...{ apis: [], workers: [], db: client.db(name) },
    urls: [ports[0], ports[1]].map((port) => `http://127.0.0.1:${port}/api/v1/activities`),
    async startApis() {
      stack.apis = await start(api, 0);
    },
    async startWorkers() {
      stack.workers = await start(worker, 2);
    },
    async mend() {
      const parts = [broker, redis, database, ...stack.apis, ...stack.workers];
      await Promise.all(parts.map((part) => part.mend()));
    },
    async stop() {
      await Promise.all([...stack.apis, ...stack.workers].map((program) => program.stop()));
      await stack.db.dropDatabase().catch(() => undefined);
      await onChannel(broker, (channel) => channel.deleteQueue(name)).catch(() => undefined);
      await client.close();
    },
  };
  return stack;
}

/** Whether a queue holds no message, neither waiting nor in the hands of a worker. */
export async function isQueueEmpty(broker: Servers['broker'], name: string): Promise<boolean> {
  // Only rabbitmqctl knows what workers hold, and it is slow: it is asked when nothing waits.
  const waiting = await onChannel(broker, (channel) => channel.checkQueue(name)).catch(() => undefined);
  if (waiting?.messageCount !== 0) return false;
  const printed = await broker.service
    .ctl('list_queues', 'name', 'messages', '--no-table-headers')
    .catch(() => '');
  return printed.split('\n').includes(`${name}\t0`);
}

async function onChannel<T>(broker: Servers['broker'], use: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await connect(broker.service.url);
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    return await use(channel);
  } finally {
    await connection.close();
  }
}
