import { brokers, type OpenStore, type Pair, stores } from '../pairs.ts';
import { freePort } from '../services/free-port.ts';
import { type Rabbitmq } from '../services/rabbitmq.ts';
import { type Service } from '../services/service.ts';
import { kinds } from '../services/start-all.ts';
import { type Mutant } from './options.ts';
import { createPart, type Part } from './part.ts';
import { api, type Program, startProgram, worker } from './programs.ts';

/** The servers that the rows of a pair share; each row has a queue and a database of its own on them. */
export interface Servers {
  pair: Pair;
  broker: Part;
  redis: Part;
  database: Part;
  stop(): Promise<void>;
}

/** A queue in MongoDB has an engine of its own, so that broker and database can be broken one without the other. */
export async function startServers(pair: Pair): Promise<Servers> {
  const names = [brokers[pair.broker].service, 'redis', stores[pair.store].service] as const;
  const all = await Promise.allSettled(names.map((name) => kinds[name].start()));
  const started = all.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async () => void (await Promise.all(started.map((service) => service.stop())));
  const failed = all.find((result) => result.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const [broker, redis, database] = started as [Service, Service, Service];
  return {
    pair,
    broker: createPart('broker', broker),
    redis: createPart('redis', redis),
    database: createPart('database', database),
    stop,
  };
}

/** One row's system: the servers, two APIs and two workers. */
export interface Stack {
  pair: Pair;
  broker: Part;
  redis: Part;
  database: Part;
  apis: Program[];
  workers: Program[];
  /** Where both APIs take events, once they run. */
  urls: string[];
  queueName: string;
  store: OpenStore;
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
  const { pair, broker, redis } = servers;
  const { url, remove } = brokers[pair.broker];
  const store = await stores[pair.store].open(database.service.url, name);
  const settings = {
    QUEUE_URL: `${url(broker.service.url, name)}${pair.broker === 'rabbitmq' ? `?heartbeat=${heartbeatS}` : ''}`,
    REDIS_URL: redis.service.url,
    STORE_URL: store.url,
    QUEUE_NAME: name,
    LOG_LEVEL: 'warn',
    // Every request is counted in Redis; none is over the limit, although all come from one address.
    RATE_LIMIT_MAX_REQUESTS: '100000000',
  };
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
    ...{ pair, broker, redis, database, queueName: name, ended, apis: [], workers: [], store },
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
      await store.remove().catch(() => undefined);
      await remove(broker.service.url, name).catch(() => undefined);
      await store.close();
    },
  };
  return stack;
}

/** Whether a queue holds no message, neither waiting nor in the hands of a worker. */
export async function isQueueEmpty({ pair, broker, queueName }: Stack): Promise<boolean> {
  const depth = await brokers[pair.broker].depth(broker.service.url, queueName).catch(() => undefined);
  if (depth !== 0 || pair.broker !== 'rabbitmq') return depth === 0;
  // Only rabbitmqctl knows what workers hold, and it is slow: it is asked when nothing waits.
  const printed = await (broker.service as Rabbitmq)
    .ctl('list_queues', 'name', 'messages', '--no-table-headers')
    .catch(() => '');
  return printed.split('\n').includes(`${queueName}\t0`);
}
