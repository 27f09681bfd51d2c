import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Db } from 'mongodb';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith } from '../tools/services/in-tests.ts';
import { temporaryFolder } from '../tools/services/service.ts';
import {
  balance,
  type Ledger,
  openLedger,
  printSummary,
  record,
  send,
  sendAll,
  waitUntilStored,
} from './ledger.ts';
import { readMongodb, type StoreReader } from '../tools/pairs.ts';
import { isRepeatable, type PlannedRequest } from './plan.ts';
import { descendants, type Program, root, run } from '../tools/programs.ts';
import {
  endAll,
  errorLines,
  expectBalanced,
  NO_LIMIT,
  openDb,
  ours,
  planWholeLog,
  TIMEOUT_MS,
} from './support.ts';

const plan = planWholeLog();

afterAll(endAll);

describeWith('mongodb', 'npm start', () => {
  let folder: string;
  const ports = { API_PORT: '', CONSUMER_PORT: '' };

  /** What `npm start` runs; npm itself turns the exit code after Ctrl-C into 130. */
  function start(environment: Record<string, string> = {}): Program {
    const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      scripts: { start: string };
    };
    const settings = { DATA_FOLDER: folder, ...ports, ...NO_LIMIT, ...environment };
    return ours(run('sh', ['-c', `exec ${scripts.start}`], settings));
  }

  async function printedUrl(program: Program): Promise<string> {
    const [, url = ''] = await program.printed(/Send an event to (http:\S+),[\s\S]*Ctrl-C/);
    return url;
  }

  /** The engine that a running `npm start` has started, found by its command line. */
  function engineOf(program: Program): { store: StoreReader; db: Db; queue: Db } {
    const engine = descendants(program.pid).find(({ command }) => command.includes('--dbpath'));
    const [, port = ''] = /--port (\d+)/.exec(engine?.command ?? '') ?? [];
    const url = `mongodb://127.0.0.1:${port}`;
    const db = openDb(url, 'activity_db');
    return { store: readMongodb(db), db, queue: openDb(url, 'activity_queue') };
  }

  async function expectQueueEmpty(queue: Db): Promise<void> {
    const names = (await queue.listCollections().toArray()).map(({ name }) => name);
    expect(names).toContain('user_activities');
    for (const name of names) {
      const messages = queue.collection(name);
      // The worker deletes a message right after its events are stored.
      for (let tries = 0; tries < 100 && (await messages.findOne()); tries += 1) await delay(100);
      expect([name, await messages.findOne()]).toEqual([name, null]);
    }
  }

  beforeEach(async () => {
    ports.API_PORT = String(await freePort());
    ports.CONSUMER_PORT = String(await freePort());
  });

  test(
    'stores what it accepts and nothing else, and keeps it over Ctrl-C and a new start',
    async () => {
      folder = await temporaryFolder('e2e');
      const first = start();
      const url = await printedUrl(first);
      expect(url).toBe(`http://localhost:${ports.API_PORT}/api/v1/activities`);
      const ledger = openLedger();
      await sendAll(ledger, plan, [url]);
      const { store, queue } = engineOf(first);
      await waitUntilStored(store.countActivities, ledger.promised.size);
      const summary = await balance(ledger, store);
      printSummary('npm start', summary, ledger.startedAt);
      expectBalanced(summary);
      await expectQueueEmpty(queue);

      first.interrupt();
      expect(await first.ended).toBe(0);
      expect(errorLines(first)).toEqual([]);

      const second = start();
      await printedUrl(second);
      expectBalanced(await balance(ledger, engineOf(second).store));
      const listed = await listAll(url);
      expect(listed).toHaveLength(summary.stored);
      expect(new Set(listed)).toEqual(new Set(ledger.promised.keys()));
      second.interrupt();
      expect(await second.ended).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'says in one line that the port or the data folder is taken, and harms nobody',
    async () => {
      folder = await temporaryFolder('e2e');
      const running = start();
      const url = await printedUrl(running);

      const otherPorts = { API_PORT: String(await freePort()), CONSUMER_PORT: String(await freePort()) };
      const sameFolder = start(otherPorts);
      const samePort = start({
        ...otherPorts,
        DATA_FOLDER: await temporaryFolder('e2e'),
        API_PORT: ports.API_PORT,
      });
      expect(await Promise.all([sameFolder.ended, samePort.ended])).toEqual([1, 1]);
      // The second is a real mongod's way of saying it, where one is on the PATH.
      const inUse = `^npm start: (data folder ${folder}/mongodb is in use by process \\d+: |.*DBPathInUse)`;
      expect(errorLines(sameFolder)).toEqual([expect.stringMatching(inUse)]);
      expect(errorLines(samePort)).toEqual([expect.stringMatching(`^API_PORT ${ports.API_PORT} is taken: `)]);

      expect((await fetch(url)).status).toBe(200);
      expect(await running.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'has all that it accepted when everything is killed at once',
    async () => {
      folder = await temporaryFolder('e2e');
      const first = ours(run('npm', ['start'], { DATA_FOLDER: folder, ...ports, ...NO_LIMIT }));
      const url = await printedUrl(first);
      const requests = plan.filter(isRetryable).map(withRequestId);
      const ledger = openLedger();
      const sending = requests.values();
      // Of what is killed, some has to be in the store, some in the worker's hands and some in the queue alone.
      const worker = descendants(first.pid).find(({ command }) => command.endsWith('worker.ts '));
      await sendUntil(400, ledger, sending, url, () => process.kill(worker!.pid, 'SIGSTOP'));
      const before = await engineOf(first).store.countActivities();
      await sendUntil(ledger.accepted + 400, ledger, sending, url, () => first.killAll());
      const promised = [...ledger.promised.keys()];
      expect(before).toBeLessThan(promised.length);

      const second = start();
      await printedUrl(second);
      const { store, db, queue } = engineOf(second);
      const activities = db.collection<{ _id: string }>('activities');
      const isPromised = { _id: { $in: promised } };
      await waitUntilStored(() => activities.countDocuments(isPromised), promised.length);
      expect(await activities.countDocuments(isPromised)).toBe(promised.length);

      // What had no answer is sent again, as a client would, with all the rest: nothing may be there twice.
      await sendAll(ledger, requests, [url]);
      await waitUntilStored(store.countActivities, ledger.promised.size);
      const summary = await balance(ledger, store);
      printSummary(
        `npm start, killed with ${before} of ${promised.length} stored`,
        summary,
        ledger.startedAt,
      );
      expect(summary).toMatchObject({ wrong: [], doubled: 0, missing: 0, foreign: 0, deadLetters: 0 });
      await expectQueueEmpty(queue);
      expect(await second.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

/** The ids of all pages of the list, as someone reads them who sits at this machine. */
async function listAll(url: string): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const answer = await fetch(`${url}?limit=500${cursor && `&cursor=${cursor}`}`);
    expect(answer.status).toBe(200);
    const page = (await answer.json()) as { activities: { eventId: string }[]; nextCursor: string | null };
    ids.push(...page.activities.map(({ eventId }) => eventId));
    cursor = page.nextCursor;
  }
  return ids;
}

/** Single events and small batches whose every id is the client's. */
function isRetryable(request: PlannedRequest): boolean {
  return request.refusal === undefined && request.events.length < 500 && isRepeatable(request);
}

/** The stored request id is then known, also of a request that had no answer. */
function withRequestId(request: PlannedRequest, index: number): PlannedRequest {
  return { ...request, headers: { ...request.headers, 'x-request-id': `kill-${index}` } };
}

/** Sends until so many events are accepted; then does that, while requests are under way, and sends no more. */
async function sendUntil(
  acceptedMin: number,
  ledger: Ledger,
  requests: Iterator<PlannedRequest>,
  url: string,
  then: () => unknown,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  let done: unknown;
  async function sendSome(): Promise<void> {
    for (let next = requests.next(); !next.done; next = requests.next()) {
      const answer = await send(agent, `${url}${next.value.path}`, next.value).catch(() => undefined);
      if (answer && answer.status !== 503) record(ledger, next.value, answer);
      if (ledger.accepted >= acceptedMin) return void (done ??= then() ?? true);
    }
  }
  await Promise.all(Array.from({ length: 16 }, sendSome));
  await done;
  expect(done).toBeDefined();
  agent.destroy();
}
