import { type Experiment, interleave, type Section } from '../experiment.ts';
import { runLoad } from '../load.ts';
import { type Results, table } from '../results.ts';
import {
  apis,
  type Bench,
  type Kind,
  type Program,
  type QueueType,
  sampleCpu,
  settled,
  type Space,
} from '../stack.ts';
import { ON_CLASSIC } from './drain.ts';

export interface Case {
  kind: Kind;
  queueType?: QueueType;
  /** Events a request. */
  events: number;
  connections: number;
  processes?: number;
  /** False for a server that publishes nothing. */
  hasQueue?: boolean;
  /** Each request comes from another client than the one before. */
  manyClients?: boolean;
}

const single = (kind: Kind): Case => ({ kind, events: 1, connections: 64 });
const batch = (kind: Kind): Case => ({ kind, events: 100, connections: 16 });

/**
 * In its first ten seconds under load what V8 has compiled of our API is not what it will be: an event takes 74, then 52 and
 * then 48 µs. So the warm-up takes so many times as long as what is measured, for all alike, but for a quick run.
 */
const WARM_UP_FACTOR = 3;

/** Starts the API of each case, keeps it over all rounds, and loads one after the other; no worker is running. */
export async function compareAccept(
  bench: Bench,
  cases: Record<string, Case>,
  progress: (text: string) => void,
): Promise<{ results: Results; duration: string }> {
  const { quick, rounds } = bench.options;
  const seconds = quick ? 1 : 5;
  const warmUpSeconds = quick ? seconds : seconds * WARM_UP_FACTOR;
  const started = new Map<string, { space: Space; programs: Program[] }>();
  try {
    for (const [name, { kind, queueType, processes = 1 }] of Object.entries(cases)) {
      const space = bench.openSpace(queueType);
      const programs: Program[] = [];
      started.set(name, { space, programs });
      while (programs.length < processes) programs.push(await space.startApi(kind));
    }
    const results = await interleave(
      { rounds, warmUp: true },
      Object.keys(cases),
      progress,
      async (name, found, isWarmUp) => {
        const { events, connections, hasQueue = true, manyClients = false } = cases[name]!;
        const { space, programs } = started.get(name)!;
        const used = sampleCpu(
          bench,
          Object.fromEntries(programs.map((one, index) => [`api${index || ''}`, one])),
        );
        const ports = programs.map(({ port }) => port);
        const load = await runLoad({
          ...{ ports, connections, events, manyClients },
          seconds: isWarmUp ? warmUpSeconds : seconds,
        });
        found.note(name, load.unexpected);
        if (hasQueue) await settled(space.depth);
        const accepted = load.requests * events;
        const figures = {
          rate: accepted / load.seconds,
          p50Ms: load.p50Ms,
          p99Ms: load.p99Ms,
          ...used(accepted),
        };
        if (hasQueue) await space.purge();
        return figures;
      },
    );
    return {
      results,
      duration: `for ${seconds} s a round, after a warm-up of ${warmUpSeconds} s`,
    };
  } finally {
    for (const { space } of started.values()) await space.close();
  }
}

export const acceptColumns = {
  'events/s': 'rate',
  'p50 ms': 'p50Ms',
  'p99 ms': 'p99Ms',
  'API µs/event': 'apiUs',
  'broker µs/event': 'brokerUs',
  'Redis µs/event': 'redisUs',
  'API RSS max MB': 'apiRssMb',
};

export const acceptSingle: Experiment = {
  name: 'accept-single',
  title: 'Accepting single events',
  isQuick: true,
  async run(bench, progress): Promise<Section> {
    const all: Record<string, Case> = {
      ours: single(apis.ours),
      'seed-shaped': single(apis['seed-shaped']),
      'bare, coalesced': single(apis['bare, coalesced']),
    };
    if (!bench.options.quick) {
      for (const name of ['seed-shaped, careful', 'bare, a message each'] as const)
        all[name] = single(apis[name]);
      for (const name of ['ours', 'seed-shaped', 'bare, coalesced'] as const)
        all[`${name}${ON_CLASSIC}`] = { ...single(apis[name]), queueType: 'classic' };
    }
    const { results, duration } = await compareAccept(bench, all, progress);
    return {
      how: `64 connections, each with one request of one event (about 300 bytes) at a time, ${duration}; no worker.`,
      tables: [table(results, acceptColumns)],
      bars: [
        results.bar(
          'events/s, ours over seed-shaped',
          results.ratio('rate', 'ours', 'seed-shaped'),
          '>= 3.5',
        ),
        results.bar(
          'events/s, ours over bare, coalesced',
          results.ratio('rate', 'ours', 'bare, coalesced'),
          '>= 0.65',
        ),
        results.bar(
          'API CPU an event, ours over seed-shaped',
          results.ratio('apiUs', 'ours', 'seed-shaped'),
          '<= 0.35',
        ),
      ],
      faults: results.faults,
    };
  },
};

export const acceptBatch: Experiment = {
  name: 'accept-batch',
  title: 'Accepting batches of 100',
  isQuick: true,
  async run(bench, progress): Promise<Section> {
    const all: Record<string, Case> = {
      ours: batch(apis.ours),
      'seed-shaped, single events': single(apis['seed-shaped']),
      'bare, a message each': batch(apis['bare, a message each']),
    };
    if (!bench.options.quick)
      for (const name of ['ours', 'bare, a message each'] as const)
        all[`${name}${ON_CLASSIC}`] = { ...batch(apis[name]), queueType: 'classic' };
    const { results, duration } = await compareAccept(bench, all, progress);
    return {
      how: `16 connections, each with one request of 100 events at a time, ${duration}; no worker. What is seed-shaped has no batches: its single events over 64 connections are what there is to compare with.`,
      tables: [table(results, acceptColumns)],
      bars: [
        results.bar(
          'events/s, ours over seed-shaped single events',
          results.ratio('rate', 'ours', 'seed-shaped, single events'),
          '>= 30',
        ),
        results.bar(
          'events/s, ours over bare',
          results.ratio('rate', 'ours', 'bare, a message each'),
          '>= 0.8',
        ),
      ],
      faults: results.faults,
    };
  },
};

export const limiter: Experiment = {
  name: 'limiter',
  title: 'What limiting costs',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const behindProxy = { TRUST_PROXY: '1' };
    const kind = (settings: Record<string, string>) => single({ ...apis.ours, settings });
    const off = { RATE_LIMIT_MODE: 'off' };
    const all: Record<string, Case> = {
      'limit exact in Redis': kind({}),
      'limit off': kind(off),
      'limit exact in Redis, many clients': { ...kind(behindProxy), manyClients: true },
      'limit off, many clients': { ...kind({ ...behindProxy, ...off }), manyClients: true },
    };
    const { results, duration } = await compareAccept(bench, all, progress);
    const ratio = (clients: string) =>
      results.ratio('rate', `limit exact in Redis${clients}`, `limit off${clients}`);
    return {
      how: `Ours, 64 connections, single events, ${duration}; no worker. All requests come from one client, as everywhere else in this document, or each from another of 2048: those of a turn of the event loop are counted together.`,
      tables: [table(results, acceptColumns)],
      bars: [
        results.bar('events/s, exact limit over none', ratio(''), '>= 0.75'),
        results.bar('events/s, exact limit over none, many clients', ratio(', many clients'), '>= 0.75'),
      ],
      faults: results.faults,
    };
  },
};
