import { setTimeout as delay } from 'node:timers/promises';
import { type Experiment, interleave, type Section } from '../experiment.ts';
import { ON_CLASSIC, onQueues, publishBacklog } from './drain.ts';
import { runLoad } from '../load.ts';
import { type Figures, type Results, table } from '../results.ts';
import { apis, type Bench, type QueueType, sampleCpu, settled, workers } from '../stack.ts';

type Variant = 'ours' | 'seed-shaped';

/** What a name stands for that may end with the kind of its queue. */
function onQueue(name: string) {
  const queueType: QueueType = name.endsWith(ON_CLASSIC) ? 'classic' : 'quorum';
  return { variant: name.replace(ON_CLASSIC, '') as Variant, queueType };
}

export const WARM_UP_S = 2;
/** What falls behind is not waited for any longer. */
export const CATCH_UP_MAX_S = 2;

/** What is loaded: an API, and a store into which its events come. */
interface Target {
  port: number;
  stored: () => Promise<number>;
  /** Forgets what waits after warming up. */
  purge?: () => Promise<void>;
  /** As `sampleCpu` gives it. */
  sample?: () => (events: number) => Figures;
}

export const sustainSeconds = ({ options: { quick } }: Bench) => (quick ? 3 : 20);

/** Loads API and worker together; what they have not stored in the end is counted, and the time until they have. */
export async function sustain(
  bench: Bench,
  target: Target,
  name: string,
  results: Results,
): Promise<Figures> {
  const { port, stored, purge, sample } = target;
  const seconds = sustainSeconds(bench);
  const load = { ports: [port], connections: 64, events: 1 };
  const warm = await runLoad({ ...load, seconds: WARM_UP_S });
  await purge?.();
  const before = await settled(stored);
  const used = sample?.();
  const { unexpected, accepted, requests, p99Ms } = await runLoad({ ...load, seconds });
  const count = (await stored()) - before;
  const cpu = used?.(count);
  results.note(name, warm.unexpected);
  results.note(name, unexpected);

  const begun = performance.now();
  let catchUpS = 0;
  while ((await stored()) - before < accepted && catchUpS < CATCH_UP_MAX_S) {
    await delay(20);
    catchUpS = (performance.now() - begun) / 1000;
  }
  const figures = { acceptedRate: requests / seconds, storedRate: count / seconds, behind: accepted - count };
  return { ...figures, catchUpS: catchUpS < CATCH_UP_MAX_S ? catchUpS : Infinity, p99Ms, ...cpu };
}

export async function sustainSpace(bench: Bench, name: string, results: Results): Promise<Figures> {
  const { variant, queueType } = onQueue(name);
  const space = bench.openSpace(queueType);
  try {
    const worker = await space.startWorker(workers[variant]);
    const api = await space.startApi(apis[variant]);
    const sample = () => sampleCpu(bench, { api, worker });
    return await sustain(bench, { ...space, port: api.port, sample }, name, results);
  } finally {
    await space.close();
  }
}

export const sustainedColumns = {
  'accepted/s': 'acceptedRate',
  'stored/s': 'storedRate',
  'behind at the end': 'behind',
  's until all is stored': 'catchUpS',
  'accept p99 ms': 'p99Ms',
  'API µs/stored': 'apiUs',
  'worker µs/stored': 'workerUs',
  'broker µs/stored': 'brokerUs',
  'store µs/stored': 'storeUs',
  'Redis µs/stored': 'redisUs',
  'API RSS max MB': 'apiRssMb',
  'worker RSS max MB': 'workerRssMb',
};

export const sustained: Experiment = {
  name: 'sustained',
  title: 'Accepting and storing at once',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const variants = onQueues(bench).flatMap((on) => [`ours${on}`, `seed-shaped${on}`]);
    const results = await interleave(bench.options, variants, progress, (name, found) =>
      sustainSpace(bench, name, found),
    );
    return {
      how: `API and worker together, 64 connections, single events, for ${sustainSeconds(bench)} s, after ${WARM_UP_S} s of the same load and a purge of the queue. Behind are the events that were accepted and not stored when the load ended; ∞ means more than ${CATCH_UP_MAX_S} s.`,
      tables: [table(results, sustainedColumns)],
      bars: [
        ...onQueues(bench).flatMap((on) => [
          results.bar(
            `stored/s, ours over seed-shaped${on}`,
            results.ratio('storedRate', `ours${on}`, `seed-shaped${on}`),
            '>= 12',
          ),
          results.bar(`s until all is stored, ours${on}`, results.summary(`ours${on}`, 'catchUpS'), '<= 1'),
        ]),
      ],
      faults: results.faults,
    };
  },
};

/** Loaded like the other measurements: each answer sends the next request. */
const AT_FULL_LOAD = ', full load';

export const acceptWhileDraining: Experiment = {
  name: 'accept-while-draining',
  title: 'Accepting while the worker drains a backlog',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const { quick } = bench.options;
    const [warmUpSeconds, seconds, rate, backlog] = [
      quick ? 1 : 5,
      quick ? 2 : 10,
      2000,
      quick ? 100_000 : 400_000,
    ];
    const loads = ['', AT_FULL_LOAD, ON_CLASSIC];
    const variants = loads.flatMap((on) => [`without a backlog${on}`, `while draining${on}`]);
    const results = await interleave(bench.options, variants, progress, async (name, found) => {
      const space = bench.openSpace(onQueue(name).queueType);
      try {
        const isDraining = name.startsWith('while draining');
        const drain = { kind: workers.ours, events: isDraining ? backlog : 0, eventsPerMessage: 1 };
        await publishBacklog(space, drain);
        const api = await space.startApi(apis.ours);
        await space.startWorker(workers.ours);
        const pace = name.endsWith(AT_FULL_LOAD) ? {} : { rate };
        const load = { ports: [api.port], connections: 64, events: 1, ...pace };
        // Both are new in each round, and take much of the cores while V8 compiles them.
        const warm = await runLoad({ ...load, seconds: warmUpSeconds });
        found.note(name, warm.unexpected);
        const { unexpected, requests, p50Ms, p99Ms } = await runLoad({ ...load, seconds });
        found.note(name, unexpected);
        const depth = await space.depth();
        if (isDraining && depth === 0) found.faults.push('the backlog was drained before the load ended');
        return { acceptedRate: requests / seconds, p50Ms, p99Ms, depth };
      } finally {
        await space.close();
      }
    });
    return {
      how: `Ours; ${rate} single events a second over 64 connections, sent whether or not earlier ones were answered, or at full load, where each of the 64 sends one as soon as it is answered; for ${seconds} s, after ${warmUpSeconds} s of the same load, with a worker that has nothing else to do or a backlog of ${backlog} events, one a message.`,
      tables: [
        table(results, {
          'accepted/s': 'acceptedRate',
          'p50 ms': 'p50Ms',
          'p99 ms': 'p99Ms',
          'waiting at the end': 'depth',
        }),
      ],
      bars: loads.map((on) =>
        results.bar(
          `accept p99, while draining over without${on}`,
          results.ratio('p99Ms', `while draining${on}`, `without a backlog${on}`),
          '<= 3',
        ),
      ),
      faults: results.faults,
    };
  },
};
