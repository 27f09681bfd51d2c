import { brokers, type Pair, pairs, stores } from '../../pairs.ts';
import { type Service } from '../../services/service.ts';
import { type ServiceName, startAll, stopAll } from '../../services/start-all.ts';
import { type Experiment, interleave, type Section } from '../experiment.ts';
import { type Figures, type Results, table } from '../results.ts';
import { apis, type Bench, createPrograms, sampleCpu, workers } from '../stack.ts';
import { sustain, sustainedColumns, sustainSeconds, WARM_UP_S } from './sustained.ts';

type Servers = Record<ServiceName, Service>;

let spaces = 0;

async function sustainPair(bench: Bench, servers: Servers, pair: Pair, results: Results): Promise<Figures> {
  const queue = `bench_pair_${++spaces}`;
  const { service, url, remove } = brokers[pair.broker];
  const [broker, store] = [servers[service], servers[stores[pair.store].service]];
  const found = await stores[pair.store].open(store.url, queue);
  const programs = createPrograms({
    QUEUE_URL: url(broker.url, queue),
    STORE_URL: found.url,
    REDIS_URL: bench.redis.url,
    QUEUE_NAME: queue,
  });
  try {
    const worker = await programs.startWorker(workers.ours);
    const api = await programs.startApi(apis.ours);
    const sample = () => sampleCpu(bench, { api, worker }, { broker, store });
    const target = { port: api.port, stored: found.countActivities, sample };
    return await sustain(bench, target, pair.name, results);
  } finally {
    await programs.stop();
    await remove(broker.url, queue);
    await found.remove();
    await found.close();
  }
}

export const everyPair: Experiment = {
  name: 'pairs',
  title: 'Every broker with every store',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    progress('starting Kafka, PostgreSQL and MariaDB');
    const started = await startAll(['kafka', 'postgres', 'mysql']);
    try {
      const { rabbitmq, redis, mongodb } = bench;
      const servers = { ...started, rabbitmq, redis, mongodb } as Servers;
      const names = pairs.map(({ name }) => name);
      const results = await interleave(bench.options, names, progress, (name, found) =>
        sustainPair(
          bench,
          servers,
          pairs.find((pair) => pair.name === name)!,
          found,
        ),
      );
      const versions = await Promise.all(
        (['postgres', 'mysql'] as const).map((name) => versionOf(name, servers)),
      );
      return {
        how: `Ours. API and worker together, 64 connections, single events, for ${sustainSeconds(bench)} s, after ${WARM_UP_S} s of the same load. Shown only: a broker and a store are chosen for other reasons. With mongodb-queue+mongodb one engine is both, and its CPU time stands in both columns.`,
        tables: [table(results, sustainedColumns)],
        bars: [],
        notes: [
          `Versions: ${[await brokers.kafka.version(), ...versions].join(', ')}; the others stand at the top.`,
        ],
        faults: results.faults,
      };
    } finally {
      await stopAll(started);
    }
  },
};

async function versionOf(name: 'postgres' | 'mysql', servers: Servers): Promise<string> {
  const found = await stores[name].open(servers[name].url, 'bench_versions');
  const version = await found.version();
  await found.remove();
  await found.close();
  return version;
}
