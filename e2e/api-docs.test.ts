import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { type Collection, type Db, MongoClient } from 'mongodb';
import { createApp } from '../api/app.ts';
import { readApiConfig } from '../api/config.ts';
import { problems } from '../api/problems.ts';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName } from '../tools/services/in-tests.ts';
import { waitUntilStored } from './ledger.ts';
import { type Example, readAnswer, readExamples, readTable } from './markdown.ts';
import { type Program, ready, root, runProgram } from '../tools/programs.ts';
import { differences } from './same-answer.ts';

const ADMIN_KEY = 'the-value-of-ADMIN_KEY';
/** What another program has put onto the queue: the dead letters that the examples find. */
const deadMessages = [
  '{"eventId":"cart-18-opened","userId":"user-1","eventType":"cart_opened","timestamp":"yesterday","payload":{},"source":"import","receivedAt":"2026-02-19T10:00:00.000Z","requestId":null,"ip":null,"userAgent":null}',
  '{"userId":"user-1","eventType":"order_shipped","timestamp":"2026-02-19T10:00:00Z"}',
  'order 4711 was shipped',
  'order 4712 was shipped',
];
const document = readFileSync(path.join(root, 'API_DOCS.md'), 'utf8');
const examples = readExamples(document);

describe('API_DOCS.md', () => {
  /** `GET /health` and so on, as the table of routes names them. */
  const documented = readTable(document, 'Route').map(([route = '']) => route.replaceAll('`', ''));

  test('names every route of the app, and no other', () => {
    expect(routesOf(documented).toSorted()).toEqual(documented.toSorted());
  });

  test('has an example of every route', () => {
    const requests = examples.map(requestOf);
    const missing = documented.filter((route) => {
      const [method, pattern = ''] = route.split(' ');
      const isRoute = new RegExp(`^${method} ${pattern.replace(/:\w+/, '(?!replay$|purge$|batch$)[^/]+')}$`);
      return !requests.some((request) => isRoute.test(request));
    });
    expect(missing).toEqual([]);
  });

  test('has an example of every error that a client can provoke', () => {
    const shown = examples.map(({ shown: { statusLine, body } }) =>
      / [45]\d\d /.test(statusLine) && body ? (JSON.parse(body) as { code?: string }).code : undefined,
    );
    // The latter takes a hundred clients at once: api/tests/stream.test.ts has them.
    const provocable = Object.keys(problems).filter(
      (code) => !['internal', 'stream-unavailable'].includes(code),
    );
    expect(provocable.filter((code) => !shown.includes(code))).toEqual([]);
  });
});

test('an answer that is not as shown is noticed', () => {
  const [example] = readExamples(`<!-- server: a -->

\`\`\`sh
curl -i $API/
\`\`\`

\`\`\`http
HTTP/1.1 200 OK
Retry-After: 60

{"ids":["019aa0c2-8f3b-7cc1-a1a5-8a3e6a3e4c55","mine"],"list":[{"ip":"::1"},null,1.5],"receivedAt":"2026-02-19T10:00:00.120Z"}
\`\`\`
`);
  expect(example).toMatchObject({ server: 'a', script: 'curl -i $API/\n', line: 7 });
  const good = `HTTP/1.1 100 Continue

HTTP/1.1 200 OK
Date: now
Retry-After: 59

{"ids":["01a1f81d-f4ce-705b-869a-4b8d0ca545a5","mine"],"list":[{"ip":"10.0.0.1"},null,1.5],"receivedAt":"2025-01-01T00:00:00.000Z"}`;
  const faults = (given: string) =>
    differences(example!.shown, readAnswer(given.replaceAll('\n', '\r\n'))).length;
  expect(faults(good)).toBe(0);
  const wrong: [string, string][] = [
    ['200 OK', '202 Accepted'],
    ['Retry-After: 59', 'Retry-After: 61'],
    ['Retry-After: 59', 'Retry-After: 0'],
    ['Retry-After: 59\n', ''],
    ['01a1f81d-f4ce-7', '01a1f81d-f4ce-4'],
    ['"mine"', '"yours"'],
    [',"mine"', ''],
    ['"mine"', '"mine","more"'],
    ['10.0.0.1', 'localhost'],
    ['"ip":"10.0.0.1"', ''],
    ['{"ip"', '{"worker":"w","ip"'],
    ['null', 'false'],
    ['1.5', '"1.5"'],
    ['2025-01-01T00:00:00.000Z', '2025-01-01'],
    [',"receivedAt":"2025-01-01T00:00:00.000Z"', ''],
  ];
  for (const [from, to] of wrong) expect([from, to, faults(good.replace(from, to))]).toEqual([from, to, 1]);
});

test('a stream that is not as shown is noticed', () => {
  const [{ shown }] = examples.filter(({ script }) => script.includes('--max-time')) as [Example];
  const given = (from: string, to: string) => ({ ...shown, body: shown.body.replace(from, to) });
  expect(differences(shown, given('1771495200131', '1771495200999'))).toEqual([]);
  const wrong: [string, string][] = [
    ['retry: 1000', 'retry: 2000'],
    ['event: activity', 'event: gap'],
    ['"page":null', '"page":"/"'],
    ['id: 1771495200131\n', ''],
    ['event: activity', 'event: activity\ndata: {}\n\nevent: activity'],
  ];
  for (const [from, to] of wrong) {
    expect([from, differences(shown, given(from, to)).length > 0]).toEqual([from, true]);
  }
});

test('a sum of the pipeline that is not true, or not as shown, is noticed', () => {
  const [shown] = examples
    .filter(({ script }) => script.includes('/pipeline'))
    .map((example) => example.shown);
  const given = (from: string, to: string) => ({ ...shown!, body: shown!.body.replace(from, to) });
  const [name, count] = ['"name": "api-1:17"', '"stored": 1447'];
  expect(differences(shown!, given(name, '"name": "another"'))).toEqual([]);
  expect(differences(shown!, given(name, '"name": 1'))).toHaveLength(1);
  expect(differences(shown!, given(count, '"stored": 1446'))).toHaveLength(1);
  expect(differences(shown!, given('"settled": true,', ''))).toHaveLength(1);
});

/** Method and path of the last `curl` of an example. */
function requestOf({ script }: Example): string {
  const command = script.slice(script.lastIndexOf('curl '));
  const [, url = ''] = /\$API(\/[^\s"'?]*)/.exec(command) ?? [];
  const [, method = / (-d|--data-binary) /.test(command) ? 'POST' : 'GET'] = / -X (\w+) /.exec(command) ?? [];
  return `${method} ${url}`;
}

/** What a stream has told until curl's --max-time ended it, which curl reports as a failure of this code. */
function endedByTime(error: Error & { code?: unknown; stdout: string }): { stdout: string } {
  if (error.code !== 28) throw error;
  return error;
}

/** The routes of the real app. Express does not tell where a router is mounted, so the beginnings of documented paths are tried. */
function routesOf(documented: string[]): string[] {
  interface Layer {
    route?: { path: string; methods: Record<string, boolean> };
    handle: { stack?: Layer[] };
    match(path: string): boolean;
  }
  const unused = {} as never;
  const config = readApiConfig({ RABBITMQ_URL: 'amqp://localhost', DATABASE_URL: 'mongodb://localhost' });
  const parts = {
    ingestion: unused,
    deadLetters: unused,
    pipeline: unused,
    stream: unused,
    readiness: unused,
    store: unused,
    rateLimitStore: unused,
    dashboardFolder: '',
    logger: unused,
  };
  const app = createApp({ ...parts, config: { ...config, RATE_LIMIT_MODE: 'off' } });
  const paths = documented.flatMap((route) => prefixesOf(route.split(' ')[1] ?? ''));
  paths.sort((a, b) => a.length - b.length);
  return (app.router as unknown as { stack: Layer[] }).stack.flatMap((layer) => {
    const ofApp = layer.route && [layer];
    const mount = ofApp ? '' : (paths.find((one) => layer.match(one)) ?? 'an undocumented path');
    return (ofApp ?? layer.handle.stack ?? []).flatMap(({ route }) =>
      Object.keys(route?.methods ?? {})
        .filter((method) => ['get', 'post', 'put', 'patch', 'delete'].includes(method))
        .map((method) => `${method.toUpperCase()} ${mount}${route?.path.replace(/\/$/, '') ?? ''}`),
    );
  });
}

/** `/api`, `/api/v1` and so on, up to the path itself. */
function prefixesOf(path: string): string[] {
  return path
    .split('/')
    .map((_name, index, names) => names.slice(0, index + 1).join('/'))
    .slice(1);
}

/** How many events a 201 or 202 speaks of. */
function countOf({ accepted, replayed }: { accepted?: number; replayed?: number }): number {
  return accepted ?? replayed ?? 1;
}

async function publishDeadMessages(queue: string): Promise<void> {
  const connection = await connect(serviceUrl('rabbitmq'));
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  for (const body of deadMessages) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
  await connection.close();
}

const curlIsMissing = spawnSync('curl', ['--version']).error !== undefined;
if (curlIsMissing && process.env.CI)
  throw new Error('curl is not installed, and the examples of API_DOCS.md need it.');
const describeExamples: typeof describeWith = curlIsMissing
  ? // The examples are curl's own command lines, which nothing else can run; with CI set that is a failure, above.
    (_services, title, body) => describe.skip(`${title} (no curl)`, body)
  : describeWith;

describeExamples(['rabbitmq', 'redis', 'mongodb'], 'the examples of API_DOCS.md', () => {
  const name = uniqueName('e2e_docs');
  const programs: Program[] = [];
  const ports = new Map<string, number>();
  let client: MongoClient;
  let activities: Collection;
  /** Events that the examples so far had accepted. */
  let accepted = 0;

  beforeAll(async () => {
    client = new MongoClient(serviceUrl('mongodb'));
    activities = client.db(name).collection('activities');
    const settings = {
      RABBITMQ_URL: serviceUrl('rabbitmq'),
      REDIS_URL: serviceUrl('redis'),
      DATABASE_URL: `${serviceUrl('mongodb')}/${name}`,
      QUEUE_NAME: name,
      RATE_LIMIT_MAX_REQUESTS: '1000000',
      STORE_TIMEOUT_MS: '1000',
      LOG_LEVEL: 'error',
    };
    const closed = `127.0.0.1:${await freePort()}`;
    const servers: Record<string, Record<string, string>> = {
      default: {},
      'admin-key': { ADMIN_KEY },
      'event-types': { EVENT_TYPES: 'LOGIN,LOGOUT,PRODUCT_VIEW' },
      'queue-away': { QUEUE_URL: `amqp://${closed}` },
      'store-away': { DATABASE_URL: `mongodb://${closed}` },
      // In Redis this address has been counted already, for the other servers.
      'limit-1': { RATE_LIMIT_MAX_REQUESTS: '1', REDIS_URL: '' },
    };
    const start = async (file: string, variable: string, environment: Record<string, string>) => {
      const port = await freePort();
      programs.push(runProgram(file, { ...settings, [variable]: String(port), ...environment }));
      return port;
    };
    const workerPort = await start('consumer/worker.ts', 'CONSUMER_PORT', {});
    for (const [server, environment] of Object.entries(servers)) {
      ports.set(server, await start('api/server.ts', 'API_PORT', environment));
    }
    await Promise.all(
      [workerPort, ...ports.values()].map((port, index) => ready(programs[index]!, port, '/health')),
    );
    await publishDeadMessages(name);
    const letters = client.db(name).collection('dead_letters');
    await waitUntilStored(() => letters.countDocuments(), deadMessages.length);
  }, 120_000);

  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await client?.db(name).dropDatabase();
    await client?.close();
  });

  test.each(examples.map((example) => [example.line, example.server, requestOf(example), example] as const))(
    'line %i, server %s: %s',
    async (_line, server, _request, { script, shown }) => {
      // An example that reads has to find what the ones before it have sent.
      await waitUntilStored(() => activities.countDocuments(), accepted);
      if (script.includes('/pipeline')) await waitUntilReported(client.db(name));
      if (script.includes('/stats')) await waitUntilCounted(client.db(name));
      const env = { ...process.env, API: `http://127.0.0.1:${ports.get(server)}`, ADMIN_KEY };
      const { stdout } = await promisify(execFile)('bash', ['-c', script], { env }).catch(endedByTime);
      const given = readAnswer(stdout);
      expect(differences(shown, given)).toEqual([]);
      if (/ 20[12] /.test(given.statusLine))
        accepted += countOf(JSON.parse(given.body) as { accepted?: number; replayed?: number });
    },
  );
});

/** A process tells what it has counted once a second; Jest's own timeout is the bound. */
async function waitUntilReported(db: Db): Promise<void> {
  while (!(await db.collection('processes').findOne({ 'counts.accepted': { $gt: 0 } }))) await delay(50);
}

/** Hours are counted behind the events; Jest's own timeout is the bound. */
async function waitUntilCounted(db: Db): Promise<void> {
  const hours = db.collection('activity_hours');
  while (!(await hours.findOne({ isDirty: false })) || (await hours.findOne({ isDirty: true })))
    await delay(50);
}
