import { type Experiment, interleave, type Section } from '../experiment.ts';
import { runLoad } from '../load.ts';
import { table } from '../results.ts';
import { ON_CLASSIC, onQueues } from './drain.ts';
import { apis, settled, workers } from '../stack.ts';

/** Probes a second, at whatever rate. */
const PROBES_PER_SECOND = 50;

export const latency: Experiment = {
  name: 'latency',
  title: 'From the request to the stored document',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const { quick } = bench.options;
    const seconds = quick ? 3 : 10;
    const runs = [
      ...onQueues(bench).flatMap((on) => [
        { variant: 'ours', on, rate: 500 } as const,
        { variant: 'seed-shaped', on, rate: 500 } as const,
      ]),
      { variant: 'ours', on: '', rate: 2000 },
      { variant: 'seed-shaped', on: '', rate: 2000 },
      { variant: 'ours', on: '', rate: 5000 },
    ] as const;
    const byName = new Map(
      runs
        .filter(({ rate }) => rate === 500 || !quick)
        .map((run) => [`${run.variant}${run.on}, ${run.rate}/s`, run]),
    );
    const results = await interleave(bench.options, [...byName.keys()], progress, async (name, found) => {
      const { variant, on, rate } = byName.get(name)!;
      const space = bench.openSpace(on === ON_CLASSIC ? 'classic' : 'quorum');
      try {
        const activities = bench.client.db(space.queue).collection('activities');
        await activities.createIndex({ 'payload.probe': 1 }, { sparse: true });
        await space.startWorker(workers[variant]);
        const api = await space.startApi(apis[variant]);
        const load = { ports: [api.port], connections: 64, events: 1 };
        await runLoad({ ...load, rate: 500, seconds: 2 });
        await settled(space.stored);
        const probes = { database: space.database, every: rate / PROBES_PER_SECOND };
        const result = await runLoad({ ...load, rate, seconds, probes });
        found.note(name, result.unexpected);
        const { p50Ms = NaN, p99Ms = NaN, missing = 0 } = result.probes ?? {};
        if (missing > 0) found.faults.push(`${name}: ${missing} probes were not stored within 30 s`);
        return { storedP50Ms: p50Ms, storedP99Ms: p99Ms, p50Ms: result.p50Ms, p99Ms: result.p99Ms };
      } finally {
        await space.close();
      }
    });
    const ratio = (figure: string, on: string) =>
      results.ratio(figure, `ours${on}, 500/s`, `seed-shaped${on}, 500/s`);
    return {
      how: `Single events at a steady rate over 64 connections, sent whether or not earlier ones were answered, for ${seconds} s after 2 s at 500/s. ${PROBES_PER_SECOND} events a second are marked in their payload; one loop in the load generator asks the database, without a pause, which of the marked ones are there. The time runs from when the request is sent to when a reader finds the document; it is measured alike for both, through a sparse index on the mark that the other events do not enter. What falls behind is late by as much as the run is long.`,
      tables: [
        table(results, {
          'stored p50 ms': 'storedP50Ms',
          'stored p99 ms': 'storedP99Ms',
          'accepted p50 ms': 'p50Ms',
          'accepted p99 ms': 'p99Ms',
        }),
      ],
      bars: onQueues(bench).flatMap((on) => [
        results.bar(`stored p50 at 500/s, ours over seed-shaped${on}`, ratio('storedP50Ms', on), '<= 1'),
        results.bar(`stored p99 at 500/s, ours over seed-shaped${on}`, ratio('storedP99Ms', on), '<= 0.5'),
      ]),
      faults: results.faults,
    };
  },
};
