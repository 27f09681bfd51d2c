import { setTimeout as delay } from 'node:timers/promises';
import { type Experiment, interleave, type Section } from '../experiment.ts';
import { type Backlog } from '../load/publisher.ts';
import { runProgram } from '../load.ts';
import { type Figures, type Results, table } from '../results.ts';
import { type Bench, type Kind, type QueueType, sampleCpu, type Space, workers } from '../stack.ts';
import { insertAlone, prepareStore, writeSettings } from '../store.ts';

export interface Drain {
  kind: Kind;
  queueType?: QueueType;
  events: number;
  eventsPerMessage: number;
  processes?: number;
  isSeedShaped?: boolean;
}

const TIMEOUT_MS = 300_000;
/** Ends the names of what runs on a classic queue; a quick run has none of them. */
export const ON_CLASSIC = ', classic queue';
export const onQueues = ({ options: { quick } }: Bench) => (quick ? [''] : ['', ON_CLASSIC]);

export async function publishBacklog({ queue, rabbitmqUrl }: Space, drain: Drain): Promise<void> {
  const { events, eventsPerMessage, isSeedShaped = false } = drain;
  const backlog: Backlog = { rabbitmq: rabbitmqUrl, queue, events, eventsPerMessage, isSeedShaped };
  await runProgram('load/publisher.js', backlog);
}

/** Fills the queue, starts the worker, and takes the time from the first document seen to the last. */
export async function drainOnce(bench: Bench, space: Space, drain: Drain): Promise<Figures> {
  const { kind, events, processes = 1 } = drain;
  const before = await space.stored();
  await publishBacklog(space, drain);
  const starting = Promise.all(Array.from({ length: processes }, () => space.startWorker(kind)));
  const used = starting.then((started) =>
    sampleCpu(bench, Object.fromEntries(started.map((one, index) => [`worker${index || ''}`, one]))),
  );
  const deadline = performance.now() + TIMEOUT_MS;
  let first: { at: number; stored: number } | undefined;
  for (; ; await delay(20)) {
    const stored = (await space.stored()) - before;
    const at = performance.now();
    if (stored > 0) first ??= { at, stored };
    if (first && stored >= events) {
      const rate = ((stored - first.stored) / (at - first.at)) * 1000;
      const figures = { rate, ...(await used)(events) };
      for (const worker of await starting) await worker.stop();
      return figures;
    }
    if (at > deadline) throw new Error(`${stored} of ${events} events were stored in time`);
  }
}

/** Each run has a queue and a database of its own. */
export async function drainFresh(bench: Bench, drain: Drain): Promise<Figures> {
  const space = bench.openSpace(drain.queueType);
  try {
    if (drain.kind === bare) await prepareStore(space);
    return await drainOnce(bench, space, drain);
  } finally {
    await space.close();
  }
}

export const bare: Kind = { ...workers.bare, settings: writeSettings };

export function compareDrains(
  bench: Bench,
  drains: Record<string, Drain>,
  progress: (text: string) => void,
): Promise<Results> {
  return interleave(bench.options, Object.keys(drains), progress, (name) => drainFresh(bench, drains[name]!));
}

export const drainColumns = {
  'events/s': 'rate',
  'worker µs/event': 'workerUs',
  'broker µs/event': 'brokerUs',
  'store µs/event': 'storeUs',
  'worker RSS max MB': 'workerRssMb',
};

const HOW =
  'The queue is filled while no worker runs; then the worker is started, and the time is taken from the first documents seen in the store to the last. That contains the first seconds of a process, in which its code is not compiled yet.';

/** What the backlogs hold: ours and the ceilings get many events, what is seed-shaped only as many as it can do. */
export function backlogs({ options: { quick } }: Bench) {
  return quick ? { many: 20_000, few: 2_000 } : { many: 200_000, few: 10_000 };
}

function seedShaped(bench: Bench): Drain {
  const kind = workers['seed-shaped'];
  return { kind, events: backlogs(bench).few, eventsPerMessage: 1, isSeedShaped: true };
}

export const drainSingle: Experiment = {
  name: 'drain-single',
  title: 'Draining a backlog, one event a message',
  isQuick: true,
  async run(bench, progress): Promise<Section> {
    const { many, few } = backlogs(bench);
    const single = (kind: Kind): Drain => ({ kind, events: many, eventsPerMessage: 1 });
    const drains: Record<string, Drain> = {};
    for (const on of onQueues(bench)) {
      const queueType = on === ON_CLASSIC ? 'classic' : 'quorum';
      drains[`ours${on}`] = { ...single(workers.ours), queueType };
      drains[`seed-shaped${on}`] = { ...seedShaped(bench), queueType };
      drains[`bare worker${on}`] = { ...single(bare), queueType };
    }
    const results = await compareDrains(bench, drains, progress);
    return {
      how: `${many} events, one a message; ${few} for seed-shaped. ${HOW}`,
      tables: [table(results, drainColumns)],
      bars: [
        ...onQueues(bench).flatMap((on) => {
          const ratio = (under: string) => results.ratio('rate', `ours${on}`, `${under}${on}`);
          return [
            results.bar(`events/s, ours over seed-shaped${on}`, ratio('seed-shaped'), '>= 20'),
            results.bar(`events/s, ours over bare${on}`, ratio('bare worker'), '>= 0.85'),
          ];
        }),
      ],
      faults: results.faults,
    };
  },
};

export const drainPacked: Experiment = {
  name: 'drain-packed',
  title: 'Draining a backlog, 100 events a message',
  isQuick: true,
  async run(bench, progress): Promise<Section> {
    const { many, few } = backlogs(bench);
    const packed = (kind: Kind): Drain => ({ kind, events: many, eventsPerMessage: 100 });
    const drains: Record<string, Drain> = { 'bare worker': packed(bare) };
    for (const on of onQueues(bench)) {
      const queueType = on === ON_CLASSIC ? 'classic' : 'quorum';
      drains[`ours${on}`] = { ...packed(workers.ours), queueType };
      drains[`seed-shaped, one event a message${on}`] = { ...seedShaped(bench), queueType };
    }
    const names = [...Object.keys(drains), 'insertMany alone'];
    const results = await interleave(bench.options, names, progress, async (name) => {
      const drain = drains[name];
      if (drain) return drainFresh(bench, drain);
      const space = bench.openSpace();
      await prepareStore(space);
      const used = sampleCpu(bench, {});
      const { rate, workerUs } = await insertAlone(space, many);
      const figures = { rate, ...used(many), workerUs };
      await space.close();
      return figures;
    });
    const ratio = (over: string, under: string) => results.ratio('rate', over, under);
    const seed = 'seed-shaped, one event a message';
    return {
      how: `${many} events, 100 a message; seed-shaped has ${few} events, one a message, as it knows no others. ${HOW} \`insertMany\` alone writes documents that were made beforehand, into the same indexes, in as large portions and as many at a time as our worker.`,
      tables: [table(results, drainColumns)],
      bars: [
        ...onQueues(bench).flatMap((on) => [
          results.bar(`events/s, ours over seed-shaped${on}`, ratio(`ours${on}`, `${seed}${on}`), '>= 30'),
          results.bar(
            `events/s, ours over \`insertMany\` alone${on}`,
            ratio(`ours${on}`, 'insertMany alone'),
            '>= 0.85',
          ),
        ]),
      ],
      faults: results.faults,
    };
  },
};
