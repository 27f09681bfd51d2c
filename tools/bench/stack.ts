import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { MongoClient } from 'mongodb';
import { cleanEnvironment, root } from '../programs.ts';
import { type Child, spawnProcess } from '../services/child.ts';
import { freePort } from '../services/free-port.ts';
import { type Rabbitmq, startRabbitmq } from '../services/rabbitmq.ts';
import { startRedis } from '../services/redis.ts';
import { type Service } from '../services/service.ts';
import { startMongod } from '../mongod/start.ts';
import { compiled } from './compile.ts';
import { cpuSeconds, peakRssMb } from './machine.ts';
import { type Options } from './options.ts';
import { type Figures } from './results.ts';

/** How a program is started; ours are those of the build, exactly as shipped. */
export interface Kind {
  file: string;
  /** What differs from the settings that all programs are given. */
  settings?: Record<string, string>;
}

const oursApi = path.join(root, 'api/dist/server.js');
const oursWorker = path.join(root, 'consumer/dist/worker.js');
const seedApi = path.join(compiled, 'seed-shaped/api.js');
const bareApi = path.join(compiled, 'bare/api.js');

export const apis = {
  ours: { file: oursApi },
  'seed-shaped': { file: seedApi },
  'seed-shaped, careful': { file: seedApi, settings: { CAREFUL: '1' } },
  'bare, a message each': { file: bareApi, settings: { MESSAGES: 'each' } },
  'bare, coalesced': { file: bareApi, settings: { MESSAGES: 'shared' } },
} satisfies Record<string, Kind>;

export const workers = {
  ours: { file: oursWorker },
  'seed-shaped': { file: path.join(compiled, 'seed-shaped/worker.js') },
  bare: { file: path.join(compiled, 'bare/worker.js') },
} satisfies Record<string, Kind>;

export interface Program {
  port: number;
  pid: number;
  stop(): Promise<void>;
}

/** Programs that are configured alike. */
export interface Programs {
  startApi: (kind: Kind) => Promise<Program>;
  startWorker: (kind: Kind) => Promise<Program>;
  stop: () => Promise<void>;
}

/**
 * What a queue becomes that is declared plainly, as all programs here do: a quorum queue by the broker's default, as
 * docker-compose.yml sets it, or a classic one, as a broker without settings has it.
 */
export type QueueType = 'quorum' | 'classic';

/** A queue and a database of one's own, and the programs that run on them. */
export interface Space {
  queue: string;
  rabbitmqUrl: string;
  database: string;
  startApi: Programs['startApi'];
  startWorker: Programs['startWorker'];
  /** Events stored so far. */
  stored: () => Promise<number>;
  /** Messages that wait in the queue. */
  depth: () => Promise<number>;
  purge(): Promise<void>;
  /** Ends the programs and removes queue and database. */
  close(): Promise<void>;
}

/** The log of quorum queues is begun anew after so many bytes, as docker-compose.yml has it. */
const RABBITMQ_SETTINGS = 'raft.wal_max_size_bytes = 67108864';

export interface Bench {
  options: Options;
  rabbitmq: Rabbitmq;
  redis: Service;
  mongodb: Service;
  client: MongoClient;
  /** On a quorum queue without being asked for another. */
  openSpace(queueType?: QueueType): Space;
  stop(): Promise<void>;
}

export async function openBench(options: Options): Promise<Bench> {
  const [rabbitmq, redis, mongodb] = await Promise.all([
    startRabbitmq(RABBITMQ_SETTINGS),
    startRedis(),
    startMongod(),
  ]);
  const client = new MongoClient(mongodb.url);
  const brokers = {
    quorum: await openVirtualHost(rabbitmq, 'quorum'),
    classic: await openVirtualHost(rabbitmq, 'classic'),
  };
  let spaces = 0;
  const bench: Bench = {
    ...{ options, rabbitmq, redis, mongodb, client },
    openSpace: (queueType = 'quorum') => openSpace(bench, brokers[queueType], `bench_${++spaces}`),
    async stop() {
      const connections = Object.values(brokers).map(({ connection }) => connection);
      await Promise.allSettled([client, ...connections].map((open) => open.close()));
      await Promise.all([rabbitmq, redis, mongodb].map((service) => service.stop()));
    },
  };
  return bench;
}

interface VirtualHost {
  url: string;
  connection: ChannelModel;
  channel: Channel;
}

/** A virtual host in which queues that are declared plainly are of this type. */
async function openVirtualHost(rabbitmq: Rabbitmq, queueType: QueueType): Promise<VirtualHost> {
  await rabbitmq.ctl('add_vhost', queueType, '--default-queue-type', queueType);
  await rabbitmq.ctl('set_permissions', '--vhost', queueType, 'guest', '.*', '.*', '.*');
  const url = `${rabbitmq.url}/${queueType}`;
  const connection = await connect(url);
  return { url, connection, channel: await connection.createChannel() };
}

/** Programs that are given this beside what all are given. */
export function createPrograms(common: Record<string, string>): Programs {
  const running: Child[] = [];
  const start = async ({ file, settings }: Kind, portName: string, asksHealth: boolean): Promise<Program> => {
    const port = await freePort();
    const env = {
      ...cleanEnvironment(),
      NODE_ENV: 'production',
      ...common,
      // Every request is counted; none is over the limit, although all come from one address.
      RATE_LIMIT_MAX_REQUESTS: '1000000000',
      ...settings,
      [portName]: String(port),
    };
    const child = spawnProcess(path.basename(file), process.execPath, [file], env);
    running.push(child);
    if (asksHealth) {
      await child.answers(async () => {
        const { ok } = await fetch(`http://127.0.0.1:${port}/health/ready`);
        if (!ok) throw new Error('not ready');
      });
    } else await child.printed(/consuming/);
    return { port, pid: child.pid, stop: () => child.stop() };
  };
  return {
    startApi: (kind) => start(kind, 'API_PORT', true),
    startWorker: (kind) => start(kind, 'CONSUMER_PORT', false),
    stop: async () => void (await Promise.all(running.map((child) => child.stop()))),
  };
}

function openSpace({ redis, mongodb, client }: Bench, { url, channel }: VirtualHost, name: string): Space {
  const database = `${mongodb.url}/${name}`;
  const { startApi, startWorker, stop } = createPrograms({
    RABBITMQ_URL: url,
    REDIS_URL: redis.url,
    DATABASE_URL: database,
    QUEUE_NAME: name,
  });
  return {
    ...{ queue: name, rabbitmqUrl: url, database, startApi, startWorker },
    stored: () => client.db(name).collection('activities').estimatedDocumentCount(),
    depth: async () => (await channel.checkQueue(name)).messageCount,
    purge: async () => void (await channel.purgeQueue(name)),
    async close() {
      await stop();
      await channel.deleteQueue(name);
      await client.db(name).dropDatabase();
    },
  };
}

/** Resolves when the number has not changed for a moment, to it; what was sent without confirms takes its time. */
export async function settled(read: () => Promise<number>): Promise<number> {
  for (let before = -1; ; await delay(100)) {
    const now = await read();
    if (now === before) return now;
    before = now;
  }
}

/**
 * Takes the CPU time of programs and services from now until the function that it returns is called with the number of
 * events of that time; it gives microseconds an event as `<name>Us`, and the programs' peak memory as `<name>RssMb`.
 */
export function sampleCpu(
  { rabbitmq, redis, mongodb }: Bench,
  programs: Record<string, Program>,
  { broker, store } = { broker: rabbitmq as Service, store: mongodb },
): (events: number) => Figures {
  const pids: [string, number][] = [
    ...Object.entries(programs).map(([name, { pid }]): [string, number] => [name, pid]),
    ['broker', broker.pid],
    ['redis', redis.pid],
    ['store', store.pid],
  ];
  const before = pids.map(([, pid]) => cpuSeconds(pid));
  return (events) => {
    const used = pids.map(([name, pid], index): [string, number] => {
      const seconds = cpuSeconds(pid) - (before[index] ?? NaN);
      return [`${name}Us`, (seconds * 1e6) / events];
    });
    const held = Object.entries(programs).map(([name, { pid }]) => [`${name}RssMb`, peakRssMb(pid)]);
    return Object.fromEntries([...used, ...held]) as Figures;
  };
}
