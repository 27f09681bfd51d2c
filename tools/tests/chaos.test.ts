import { execFile } from 'node:child_process';
import path from 'node:path';
import { MongoClient, type Document } from 'mongodb';
import { defaultPair, pairs, readMongodb } from '../pairs.ts';
import { root } from '../programs.ts';
import { compare } from '../chaos/compare.ts';
import { judge } from '../chaos/judge.ts';
import { type Load, type Outcome } from '../chaos/load.ts';
import { chooseRows } from '../chaos/matrix.ts';
import { type Options, parseOptions } from '../chaos/options.ts';
import { type Observed } from '../chaos/run-row.ts';
import { describeWith, serviceUrl, uniqueName } from '../services/in-tests.ts';

const TIMEOUT_MS = 180_000;

/** Runs the harness as `npm run chaos` does; resolves to its exit code and what it printed. */
function chaos(...options: string[]): Promise<{ code: number; output: string; errors: string }> {
  const words = [
    '--import',
    'tsx',
    '--conditions=source',
    path.join('tools', 'chaos', 'chaos.ts'),
    ...options,
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, words, { cwd: root, timeout: TIMEOUT_MS }, (error, output, errors) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ code, output, errors });
    });
  });
}

function options(...words: string[]): Options {
  return parseOptions(words) as Options;
}

describeWith(['rabbitmq', 'redis', 'mongodb'], 'npm run chaos', () => {
  test(
    'a row of the product as it is holds',
    async () => {
      // Its bar leaves time enough, also beside other tests on a busy machine.
      const { code, output } = await chaos('--quick', '--target', 'broker', '--fault', 'delete');
      expect(output).toMatch(/^\| broker: queue deleted \| 1 \| .* \| held \|$/m);
      expect(code).toBe(0);
    },
    TIMEOUT_MS,
  );

  test.each([
    ['ack-before-write', 'lost', ['--target', 'worker', '--fault', 'kill', '--kills', '3']],
    ['no-unique-key', 'there more than once', ['--target', 'worker', '--fault', 'kill']],
    ['no-mandatory', 'lost', ['--target', 'broker', '--fault', 'delete']],
  ])(
    'the mutant %s turns a row red: events are %s',
    async (mutant, fault, row) => {
      const { code, output } = await chaos('--quick', '--mutant', mutant, ...row);
      expect(output).toMatch(/ \| \*\*broken\*\* \|$/m);
      expect(output).toMatch(new RegExp(`^- .*: \\*\\*\\d+ events .*${fault}\\*\\*$`, 'm'));
      expect(code).toBe(1);
    },
    TIMEOUT_MS,
  );

  test('a wrong option is one clear line', async () => {
    const { code, output, errors } = await chaos('--kills', 'many');
    expect(errors).toBe('chaos: --kills must be a whole number of 1 to 1000, not "many"\n');
    expect([code, output]).toEqual([1, '']);
  });
});

describeWith('mongodb', 'the comparison', () => {
  test('notices what is lost, doubled, foreign, dead or late', async () => {
    const client = new MongoClient(serviceUrl('mongodb'));
    const db = client.db(uniqueName('chaos'));
    const event = (_id: string, eventId: string, lateMs = 0, redelivered = false): Document => ({
      ...{ _id, eventId },
      processing: { redelivered, receivedAt: new Date(0), processedAt: new Date(lateMs) },
    });
    const events = [event('1', 'a'), event('2', 'b'), event('3', 'b'), event('4', 'dead too')];
    const odd = [event('5', 'nobody sent me'), event('6', 'late', 600, true)];
    await db.collection<Document>('activities').insertMany([...events, ...odd]);
    await db.collection('dead_letters').insertOne({ eventId: 'dead too', reason: 'invalid-event' });
    const ledger = new Map<string, Outcome>([
      ...(['a', 'b', 'dead too', 'lost', 'late'] as const).map((id) => [id, 'ok'] as [string, Outcome]),
      ['not there, and nobody said so', 'unknown'],
    ]);
    expect(await compare(ledger, readMongodb(db))).toMatchObject({
      ...{ stored: 6, doubled: 2, lost: 1, foreign: 1, deadLetters: 1, redelivered: 1, heldBack: 1 },
    });
    await db.dropDatabase();
    await client.close();
  });
});

describe('the verdict', () => {
  const observed = (changes: Partial<Observed> = {}, load: Partial<Load> = {}): Observed => ({
    ...{ faults: 1, degraded: 0, backMs: [100], drained: true, ended: [], clientStallMs: 0 },
    load: {
      ledger: new Map([['a', 'ok']]),
      refused: 1,
      unanswered: 0,
      longestGapMs: () => 900,
      ...load,
    } as Load,
    compared: {
      ...{
        stored: 1,
        doubled: 0,
        lost: 0,
        foreign: 0,
        deadLetters: 0,
        redelivered: 0,
        heldBack: 0,
        wrong: [],
      },
    },
    ...changes,
  });
  const bar = { gapMsMax: 1000, backMsMax: 1000, failsNothing: true };
  const row = { bar, evidence: 'refused' } as const;

  test('holds at the bar', () => {
    expect(judge(row, observed())).toEqual([]);
  });

  test.each<[string, string[]]>([
    ['a long time without a 202', judge(row, observed({}, { longestGapMs: () => 1001 }))],
    ['a slow return', judge(row, observed({ backMs: [1, 1001] }))],
    [
      'an event without its 202',
      judge(
        row,
        observed(
          {},
          {
            ledger: new Map([
              ['a', 'ok'],
              ['b', 'fail'],
            ]),
          },
        ),
      ),
    ],
    ['a fault that nobody noticed', judge(row, observed({}, { refused: 0 }))],
    ['a queue that never becomes empty', judge(row, observed({ drained: false }))],
    ['a program that ends', judge(row, observed({ ended: ['api-1 ended by itself'] }))],
  ])('is broken by %s', (_, broken) => {
    expect(broken).toHaveLength(1);
  });
});

test('options choose the rows', () => {
  const names = (...words: string[]) =>
    options(...words).pairs.flatMap((pair) => chooseRows(options(...words), pair).map(({ name }) => name));
  expect(names()).toHaveLength(21);
  expect(names('--target', 'redis', '--fault', 'kill')).toEqual(['redis: SIGKILL']);
  expect(names('--target', 'redis', '--fault', 'full')).toEqual([]);
  // A row that needs tools of RabbitMQ or the engine of MongoDB is not there for others.
  expect(names('--pair', 'kafka+postgres')).toHaveLength(17);
  expect(names('--pair', 'kafka+mongodb')).toContain('database: disk full');
  expect(names('--pair', 'rabbitmq+mysql', '--fault', 'alarm')).toHaveLength(1);
  const short = ['worker: SIGKILL', 'broker: SIGKILL', 'database: SIGKILL'];
  expect(names('--pair', 'rabbitmq+mysql,kafka+mongodb', '--quick')).toEqual([...short, ...short]);
  expect(options().pairs).toEqual([defaultPair]);
  expect(options('--pair', 'all').pairs).toEqual(pairs);
  expect(() => options('--pair', 'kafka')).toThrow('--pair must be one of rabbitmq+mongodb, ');
  expect(() => options('--target', 'moon')).toThrow('--target must be one of worker, api, ');
  expect(() => options('--moon')).toThrow("Unknown option '--moon'");
});
