import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as httpRequest, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import path from 'node:path';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { temporaryFolder } from '../../tools/services/service.ts';
import { beginWithHeaders, insteadOfHeaders, writeHeader } from '../header-text.ts';
import { createHttpServer } from '../http-server.ts';
import { ACTIVITIES, activity, ADMIN_KEY, BATCH, closeServers, createTestApi, listenAs } from './support.ts';

afterEach(closeServers);

interface Answer {
  status: number;
  /** By their names in lower case, in the order of the wire, as often as they stand there. */
  headers: [name: string, value: string][];
}

interface Ask {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

async function ask(app: Express, { method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
  const { port } = (await listenAs(app)).address() as AddressInfo;
  return askPort(port, { method, path, headers, body });
}

async function askPort(port: number, { method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
  const agent = new Agent();
  const sent = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  agent.destroy();
  const { rawHeaders } = response;
  const pairs = rawHeaders.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1]!]] : [],
  );
  return { status: response.statusCode!, headers: pairs };
}

/** What helmet sets by itself. */
async function helmetHeaders(): Promise<Answer['headers']> {
  const bare = express().use(helmet());
  bare.disable('x-powered-by').get('/', (_req, res) => void res.end());
  const { headers } = await ask(bare, { path: '/' });
  return headers.filter(
    ([name]) => !['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length'].includes(name),
  );
}

function expectNoneTwice({ headers }: Answer): void {
  const names = headers.map(([name]) => name);
  expect(names).toEqual([...new Set(names)]);
}

const admin = { Authorization: `Bearer ${ADMIN_KEY}` };
const json = { 'Content-Type': 'application/json' };
const origin = { Origin: 'https://shop.example' };
const answers: [title: string, status: number, ask: Ask][] = [
  ['an event', 202, { method: 'POST', path: ACTIVITIES, headers: json, body: activity() }],
  [
    'an event of a page',
    202,
    { method: 'POST', path: ACTIVITIES, headers: { ...json, ...origin }, body: activity() },
  ],
  ['a batch', 202, { method: 'POST', path: BATCH, headers: json, body: [activity(), activity()] }],
  [
    'an event of another client',
    201,
    { method: 'POST', path: '/events/generate', headers: json, body: { userId: 'u', eventType: 't' } },
  ],
  ['an event that is wrong', 400, { method: 'POST', path: ACTIVITIES, headers: json, body: {} }],
  [
    'what is no JSON',
    415,
    { method: 'POST', path: ACTIVITIES, headers: { 'Content-Type': 'image/png' }, body: 1 },
  ],
  [
    'a preflight',
    204,
    { method: 'OPTIONS', path: ACTIVITIES, headers: { ...origin, 'Access-Control-Request-Method': 'POST' } },
  ],
  ['a method that is not there', 405, { method: 'PUT', path: ACTIVITIES }],
  ['a read', 200, { path: ACTIVITIES, headers: admin }],
  ['a read without a key', 401, { path: ACTIVITIES }],
  ['health', 200, { path: '/health' }],
  ['HEAD of health', 200, { method: 'HEAD', path: '/health' }],
  ['metrics', 200, { path: '/metrics', headers: admin }],
  ['the pipeline', 200, { path: '/api/v1/pipeline', headers: admin }],
  ['nothing', 404, { path: '/nowhere' }],
  ['what Express cannot decode', 400, { path: `${ACTIVITIES}/%`, headers: admin }],
];

describe('Every answer', () => {
  it.each(answers)(
    'has the headers of helmet and a request id, and none twice: %s',
    async (_title, status, what) => {
      const answer = await ask(createTestApi().app, what);
      expect(answer.status).toBe(status);
      expect(answer.headers).toEqual(expect.arrayContaining(await helmetHeaders()));
      expect(answer.headers).toContainEqual(['x-request-id', expect.stringMatching(/^[\w.:-]+$/)]);
      expectNoneTwice(answer);
    },
  );

  it('past the limit has its headers once too', async () => {
    const { app } = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '1' });
    const event: Ask = {
      method: 'POST',
      path: ACTIVITIES,
      headers: { ...json, ...origin },
      body: activity(),
    };
    await ask(app, event);
    const refused = await ask(app, event);
    expect(refused.status).toBe(429);
    expect(refused.headers.map(([name]) => name)).toEqual(
      expect.arrayContaining(['ratelimit', 'ratelimit-policy', 'retry-after', 'access-control-allow-origin']),
    );
    expect(refused.headers).toEqual(expect.arrayContaining(await helmetHeaders()));
    expectNoneTwice(refused);
  });

  it('does not have what was written for the answer before it on the same connection', async () => {
    const { app } = createTestApi();
    const server = createHttpServer({}, app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const id of ['one', 'two', 'three']) {
      const answer = await askPort(port, { path: '/health', headers: { 'X-Request-Id': id } });
      expect(answer.headers.filter(([name]) => name === 'x-request-id')).toEqual([['x-request-id', id]]);
      expectNoneTwice(answer);
    }
    server.close();
    server.closeAllConnections();
  });
});

describe('The dashboard', () => {
  let app: Express;
  beforeAll(async () => {
    const folder = await temporaryFolder('header-text');
    mkdirSync(path.join(folder, 'assets'));
    writeFileSync(path.join(folder, 'index.html'), '<!doctype html>');
    writeFileSync(path.join(folder, 'assets', 'index-abc.js'), '1;');
    ({ app } = createTestApi({}, { dashboardFolder: folder }));
  });

  it.each(['/', '/assets/index-abc.js'])(
    'has the headers of helmet, its own policy in place of the other, and a request id, each once: %s',
    async (path) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await ask(app, { method, path, headers: { 'X-Request-Id': 'the-id' } });
        expect(answer.status).toBe(200);
        const others = (await helmetHeaders()).filter(([name]) => name !== 'content-security-policy');
        expect(answer.headers).toEqual(expect.arrayContaining(others));
        expect(answer.headers).toContainEqual(['x-request-id', 'the-id']);
        expect(answer.headers.find(([name]) => name === 'content-security-policy')?.[1]).toContain(
          "default-src 'none'",
        );
        expectNoneTwice(answer);
      }
    },
  );
});

it('where node:http has no _storeHeader, headers are set in the usual way, and are the same', async () => {
  const prototype = ServerResponse.prototype as unknown as { _storeHeader?: unknown };
  const storeHeader = prototype._storeHeader;
  const usual = express();
  const other = express();
  prototype._storeHeader = undefined;
  try {
    beginWithHeaders(usual, helmet());
  } finally {
    prototype._storeHeader = storeHeader;
  }
  beginWithHeaders(other, helmet());
  const instead = insteadOfHeaders(helmet({ xFrameOptions: { action: 'deny' } }));
  const [one, two] = await Promise.all(
    [usual, other].map((app) => {
      app.disable('x-powered-by');
      app.use((_req, res) => {
        writeHeader(res, 'X-Request-Id', 'the-id');
        instead(res);
        res.end();
      });
      return ask(app, { path: '/' });
    }),
  );
  const sorted = ({ headers }: Answer) =>
    headers
      .filter(([name]) => name !== 'date')
      .map(String)
      .sort();
  expect(sorted(one!)).toEqual(sorted(two!));
  expect(sorted(one!)).toEqual(expect.arrayContaining(['x-frame-options,DENY', 'x-request-id,the-id']));
});
