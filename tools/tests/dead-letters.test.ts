import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo } from 'node:net';
import path from 'node:path';
import { closeServers, createTestApi, listenAs, ADMIN_KEY, type TestApi } from '../../api/tests/support.ts';
import { aDeadLetter, anEvent } from '../../consumer/tests/events.ts';
import { temporaryFolder } from '../services/service.ts';

const root = path.join(__dirname, '../..');

interface Result {
  code: number | null;
  output: string;
  errors: string;
}

async function run(environment: Record<string, string>, ...args: string[]): Promise<Result> {
  const script = path.join(root, 'tools/dead-letters.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', script, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...environment },
  });
  const result: Result = { code: null, output: '', errors: '' };
  child.stdout.on('data', (chunk: Buffer) => (result.output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (result.errors += chunk.toString()));
  [result.code] = (await once(child, 'close')) as [number | null];
  return result;
}

let api: TestApi;
let environment: Record<string, string>;
const cli = (...args: string[]) => run(environment, ...args);

beforeEach(async () => {
  api = createTestApi();
  const { port } = (await listenAs(api.app)).address() as AddressInfo;
  environment = { API_URL: `http://127.0.0.1:${port}/`, ADMIN_KEY };
  await api.store.recordDead([
    aDeadLetter({
      id: 'good',
      eventId: 'e-good',
      reason: 'rejected-by-store',
      body: Buffer.from(JSON.stringify(anEvent({ eventId: 'e-good' }))),
    }),
    aDeadLetter({ id: 'bad', diedAt: new Date('2024-01-02T00:00:00.000Z'), eventType: null }),
  ]);
});
afterEach(closeServers);

const idsKept = async () => (await api.store.listDead({ limit: 500 })).map(({ id }) => id);

test('list is a table, newest first', async () => {
  const { code, output } = await cli('list');
  expect([code, output]).toEqual([
    0,
    `DIED AT                   REASON             EVENT TYPE  EVENT ID  ID    ERROR
2024-01-02T00:00:00.000Z  invalid-event      -           -         bad   userId is required
2024-01-01T00:00:00.000Z  rejected-by-store  page_view   e-good    good  userId is required
`,
  ]);
  expect((await cli('list', '--reason', 'crash-loop')).output).toBe(
    'There are no dead letters, or none that fit.\n',
  );
  expect((await cli('list', '--limit', '1')).output).toMatch(/bad .*\nThere are more: .*--to 2024-01-02T/);
});

test('show gives the facts, every fault and the bytes', async () => {
  expect((await cli('show', 'good')).output).toMatch(
    /^id +good\nreason +rejected-by-store\n[\s\S]*\n {2}userId is required\n\n\{"eventId":"e-good",.*\}\n$/,
  );
  expect((await cli('show', 'bad')).output).toContain('as Base64:\ne/8AfQ==\n');
});

test('replay queues the event, the edited one where it is given', async () => {
  expect(await cli('replay', 'good')).toMatchObject({ code: 0, output: 'replayed: event e-good\n' });
  const file = path.join(await temporaryFolder('edited'), 'event.json');
  await writeFile(file, JSON.stringify(anEvent({ eventId: 'e-edited' })));
  expect(await cli('replay', 'bad', '--event', file)).toMatchObject({ code: 0 });
  expect(api.queue.events.map(({ eventId }) => eventId)).toEqual(['e-good', 'e-edited']);
  expect(await idsKept()).toEqual([]);
});

test('replay --all shows what was refused, and its exit code tells of it', async () => {
  const { code, output, errors } = await cli('replay', '--all');
  expect([code, output]).toEqual([
    1,
    'refused: bad: it the bytes are not JSON in UTF-8\nreplayed: 1, refused: 1\n',
  ]);
  expect(errors).toBe('dead-letters: what was refused needs an edited event: replay ID --event FILE\n');
  expect(await idsKept()).toEqual(['bad']);
});

test('purge removes one, those of a filter, or all in as many calls as it takes', async () => {
  expect(await cli('purge', 'good')).toMatchObject({ code: 0, output: 'purged\n' });
  expect(await cli('purge', '--reason', 'crash-loop')).toMatchObject({ code: 0, output: 'purged: 0\n' });
  await api.store.recordDead(Array.from({ length: 1000 }, () => aDeadLetter()));
  expect(await cli('purge', '--all')).toEqual({
    code: 0,
    output: 'purged: 1001\n',
    errors: 'purged 500 so far\npurged 1000 so far\n',
  });
  expect(await idsKept()).toEqual([]);
});

test.each<[string[], number, RegExp]>([
  [['show', 'nobody'], 1, /^dead-letters: 404 There is nothing here\. No dead letter of this id .*\n$/],
  [
    ['replay', 'bad'],
    1,
    /^dead-letters: 400 The event is not valid\. .*; it the bytes are not JSON in UTF-8\n$/,
  ],
  [
    ['list', '--reason', 'x', '--limit', '0'],
    1,
    /^dead-letters: 400 .*; reason must be one of .*; limit must be .*\n$/,
  ],
  [['replay', 'bad', '--event', '/no/such/file'], 2, /^dead-letters: ENOENT.*\n$/],
  [['replay'], 2, /^dead-letters: replay needs an ID, a FILTER, or --all\n\nnpm run/],
  [['purge', 'bad', '--all'], 2, /^dead-letters: purge bad takes no --all\n\nnpm run/],
  [['purge', 'bad', 'good'], 2, /^dead-letters: one ID at most: good\n\nnpm run/],
  [['list', '--nonsense'], 2, /^dead-letters: .*--nonsense.*\n\nnpm run/],
  [['remove'], 2, /^dead-letters: there is no remove\n\nnpm run/],
])('%j fails with %i and says why', async (args, code, complaint) => {
  const result = await cli(...args);
  expect(result).toEqual({ code, output: '', errors: expect.stringMatching(complaint) as string });
  expect(await idsKept()).toEqual(['bad', 'good']);
});

test('a wrong key and an API that is not there are told in one line', async () => {
  expect((await run({ ...environment, ADMIN_KEY: 'wrong' }, 'list')).errors).toMatch(
    /^dead-letters: 401 The admin key is missing or wrong\. .*\n$/,
  );
  const away = await run({ API_URL: 'http://127.0.0.1:1' }, 'list');
  expect([away.code, away.errors]).toEqual([
    1,
    'dead-letters: the API does not answer at http://127.0.0.1:1; set API_URL to where it is\n',
  ]);
});

test('--help shows how it is used', async () => {
  expect(await run({}, '--help')).toMatchObject({
    code: 0,
    output: expect.stringMatching(/^npm run/) as string,
  });
});
