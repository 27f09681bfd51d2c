import { type Experiment, interleave, type Section } from '../experiment.ts';
import { runLoad } from '../load.ts';
import { type Results, table } from '../results.ts';
import { apis, type Bench, type Space, workers } from '../stack.ts';
import { insertAlone, prepareStore } from '../store.ts';
import { drainOnce } from './drain.ts';

/** Of each user the list has as many pages in a small store as in a large one. */
const EVENTS_PER_USER = 100;

interface Sizes {
  small: number;
  large: number;
  /** Events of each drain. */
  drained: number;
  /** Documents for which the cost of each index is taken. */
  indexed: number;
}

export const growth: Experiment = {
  name: 'growth',
  title: 'As the store grows',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const { quick } = bench.options;
    const sizes: Sizes = quick
      ? { small: 20_000, large: 200_000, drained: 20_000, indexed: 20_000 }
      : { small: 100_000, large: 5_000_000, drained: 100_000, indexed: 500_000 };
    const { results, names } = await compareSizes(bench, sizes, progress);
    const indexes = await compareIndexes(bench, sizes.indexed, progress);
    const [small, large] = names;
    return {
      how: `Two stores, with ${sizes.small} and ${sizes.large} documents under UUIDv7 ids, of ${EVENTS_PER_USER} documents a user. In each round our worker drains ${sizes.drained} events, 100 a message, into each (the small one is filled anew for it; the large one keeps them), and then pages of \`GET /api/v1/activities?userId=\` are read over 4 connections for ${readSeconds(bench)} s, of users all over the store. Below, \`insertMany\` alone writes ${sizes.indexed} documents into an empty collection with some of the indexes only.`,
      tables: [
        table(results, {
          'drained/s': 'rate',
          'worker µs/event': 'workerUs',
          'store µs/event': 'storeUs',
          'reads/s': 'reads',
          'read p50 ms': 'p50Ms',
          'read p95 ms': 'p95Ms',
        }),
        table(indexes, { 'documents/s': 'rate' }),
      ],
      bars: [
        results.bar(
          `drain rate, at ${sizes.large} over at ${sizes.small}`,
          results.ratio('rate', large, small),
          '>= 0.7',
        ),
        results.bar(
          `read p95, at ${sizes.large} over at ${sizes.small}`,
          results.ratio('p95Ms', large, small),
          '<= 1.5',
        ),
      ],
      faults: [...results.faults, ...indexes.faults],
    };
  },
};

const readSeconds = ({ options: { quick } }: Bench) => (quick ? 2 : 5);

async function compareSizes(bench: Bench, sizes: Sizes, progress: (text: string) => void) {
  const names = [`${sizes.small} documents`, `${sizes.large} documents`] as const;
  const large = await filled(bench, sizes.large, progress);
  try {
    const results = await interleave(bench.options, names, progress, async (name, found) => {
      const isLarge = name === names[1];
      const space = isLarge ? large : await filled(bench, sizes.small, progress);
      try {
        const drain = { kind: workers.ours, events: sizes.drained, eventsPerMessage: 100 };
        const figures = await drainOnce(bench, space, drain);
        const users = (isLarge ? sizes.large : sizes.small) / EVENTS_PER_USER;
        const api = await space.startApi(apis.ours);
        const seconds = readSeconds(bench);
        const reads = await runLoad({ ports: [api.port], connections: 4, seconds, events: 0, users });
        found.note(name, reads.unexpected);
        await api.stop();
        return { ...figures, reads: reads.requests / seconds, p50Ms: reads.p50Ms, p95Ms: reads.p95Ms };
      } finally {
        if (!isLarge) await space.close();
      }
    });
    return { results, names };
  } finally {
    await large.close();
  }
}

async function filled(bench: Bench, documents: number, progress: (text: string) => void): Promise<Space> {
  const space = bench.openSpace();
  progress(`filling a store with ${documents} documents`);
  await prepareStore(space);
  await insertAlone(space, documents, { users: documents / EVENTS_PER_USER });
  return space;
}

/** Inserts with all indexes, without each of them, with none, and with ids in no order. */
async function compareIndexes(
  bench: Bench,
  documents: number,
  progress: (text: string) => void,
): Promise<Results> {
  const probe = bench.openSpace();
  await prepareStore(probe);
  const all = (await activitiesOf(bench, probe).indexes()).flatMap(({ name }) =>
    name === undefined || name === '_id_' ? [] : [name],
  );
  await probe.close();
  const dropped = new Map<string, string[]>([
    ['all indexes', []],
    ...all.map((name): [string, string[]] => [`without \`${name}\``, [name]]),
    ['only that of `_id`', all],
    ['all indexes, UUIDv4 ids', []],
  ]);
  return interleave(bench.options, [...dropped.keys()], progress, async (name) => {
    const space = bench.openSpace();
    await prepareStore(space);
    for (const index of dropped.get(name) ?? []) await activitiesOf(bench, space).dropIndex(index);
    const { rate } = await insertAlone(
      space,
      documents,
      name.endsWith('UUIDv4 ids') ? { ids: 'uuidv4' } : {},
    );
    await space.close();
    return { rate };
  });
}

function activitiesOf({ client }: Bench, { queue }: Space) {
  return client.db(queue).collection('activities');
}
