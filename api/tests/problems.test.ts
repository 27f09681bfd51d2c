import { gzipSync } from 'node:zlib';
import request, { type Response } from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { QueueUnavailable } from '@event-tracker/shared/errors';
import { type ProblemCode, problems } from '../problems.ts';
import {
  ACTIVITIES,
  activity,
  ADMIN_KEY,
  BATCH,
  createTestApi,
  DEAD_LETTERS,
  expectProblem,
  getAsAdmin,
  post,
  postRaw,
  STREAM,
} from './support.ts';

const awayStore = Object.assign(createMemoryStore(), { away: true });
const { app, stream } = createTestApi();
stream.close();

/** Every way to meet a problem, by its code; a code without a way to it does not compile. */
const ways: Record<ProblemCode, [string, () => Promise<Response>][]> = {
  'invalid-json': [
    ['no body', async () => request(app).post(ACTIVITIES)],
    ['no JSON', async () => postRaw(app, '{')],
  ],
  'invalid-event': [
    ['a wrong event', async () => post(app, {})],
    ['a batch without a good one', async () => post(app, [{}], BATCH)],
  ],
  'invalid-query': [['a wrong parameter', async () => getAsAdmin(app, `${ACTIVITIES}?limit=0`)]],
  'bad-request': [
    ['an id of no event', async () => getAsAdmin(app, STREAM).set('Last-Event-ID', 'x')],
    ['a malformed URL', async () => getAsAdmin(app, `${ACTIVITIES}/%zz`)],
    ['a body that does not inflate', async () => postRaw(app, 'x', { 'Content-Encoding': 'gzip' })],
  ],
  unauthorized: [
    ['the list', async () => request(app).get(ACTIVITIES)],
    ['an event', async () => request(app).get(`${ACTIVITIES}/a`)],
  ],
  'not-found': [
    ['an unknown path', async () => request(app).get('/')],
    ['an unknown path below a known one', async () => request(app).post(`${ACTIVITIES}/a/b`)],
    ['another version', async () => post(app, activity(), '/api/v2/activities')],
    ['an event that is not stored', async () => getAsAdmin(app, `${ACTIVITIES}/a`)],
    ['a path below health', async () => request(app).get('/health/x')],
  ],
  'method-not-allowed': [
    ['PUT', async () => request(app).put(ACTIVITIES).send(activity())],
    ['GET of the batch', async () => getAsAdmin(app, BATCH)],
    ['DELETE of an event', async () => request(app).delete(`${ACTIVITIES}/a`)],
    ['POST to health', async () => request(app).post('/health')],
    ['POST to readiness', async () => request(app).post('/health/ready')],
  ],
  'body-too-large': [
    ['too many bytes', async () => postRaw(app, `"${'x'.repeat(600 * 1024)}"`)],
    [
      'too many bytes once inflated',
      async () => postRaw(app, gzipSync('x'.repeat(600 * 1024)), { 'Content-Encoding': 'gzip' }),
    ],
    [
      'too many events',
      async () =>
        post(
          app,
          Array.from({ length: 2501 }, () => 0),
          BATCH,
        ),
    ],
  ],
  'unsupported-media-type': [
    ['a label', async () => postRaw(app, '<a/>', { 'Content-Type': 'application/xml' })],
    ['an encoding', async () => postRaw(app, 'x', { 'Content-Encoding': 'zstd' })],
  ],
  'rate-limited': [
    [
      'one request too many',
      async () => {
        const limited = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '1' }).app;
        await post(limited);
        return post(limited);
      },
    ],
  ],
  internal: [
    [
      'a bug while an event is taken',
      async () => {
        const api = createTestApi();
        api.queue.fault = new TypeError('secret of the service');
        return post(api.app);
      },
    ],
    ['a bug while events are read', async () => getAsAdmin(createTestApi({}, { store: brokenStore() }).app)],
  ],
  'queue-unavailable': [
    [
      'the queue is away',
      async () => {
        const api = createTestApi();
        api.queue.fault = new QueueUnavailable('secret of the broker');
        return post(api.app);
      },
    ],
  ],
  'stream-unavailable': [['a stream while it shuts down', async () => getAsAdmin(app, STREAM)]],
  'store-unavailable': [
    ['the store is away', async () => getAsAdmin(createTestApi({}, { store: awayStore }).app)],
  ],
};

function brokenStore() {
  const list = () => Promise.reject(new TypeError('secret of the service'));
  return { ...createMemoryStore(), list };
}

const cases = Object.entries(ways).flatMap(([code, list]) =>
  list.map(([name, provoke]) => [code as ProblemCode, name, provoke] as const),
);

describe('An error is a complete problem document with the request’s id', () => {
  const met = new Set<string>();

  it.each(cases)('%s: %s', async (code, _name, provoke) => {
    const response = await provoke();
    const { detail } = expectProblem(response, code);
    expect(detail).not.toMatch(/secret|TypeError|\n/);
    met.add((response.body as { code: string }).code);

    const { status } = response;
    expect(response.get('Retry-After') !== undefined).toBe(status === 429 || status === 503);
    if (status === 429 || status === 503) expect(response.get('Retry-After')).toMatch(/^[1-9]\d*$/);
    expect(response.get('Allow') !== undefined).toBe(status === 405);
    expect(response.get('WWW-Authenticate')).toBe(status === 401 ? 'Bearer' : undefined);
  });

  it('has one of the codes that problems.ts lists, and each of them is met', () => {
    expect([...met].sort()).toEqual(Object.keys(problems).sort());
  });

  it('carries the id that the client gave the request', async () => {
    const response = await post(app, {}).set('X-Request-Id', 'mine-1');
    expectProblem(response, 'invalid-event');
    expect(response.get('X-Request-Id')).toBe('mine-1');
  });
});

describe('405 names the methods that are allowed', () => {
  it.each([
    ['PUT', ACTIVITIES, 'GET, HEAD, POST, OPTIONS'],
    ['DELETE', ACTIVITIES, 'GET, HEAD, POST, OPTIONS'],
    ['PATCH', BATCH, 'POST, OPTIONS'],
    ['GET', BATCH, 'POST, OPTIONS'],
    ['POST', `${ACTIVITIES}/a`, 'GET, HEAD'],
    ['POST', DEAD_LETTERS, 'GET, HEAD'],
    ['PUT', `${DEAD_LETTERS}/a`, 'GET, HEAD, DELETE'],
    ['GET', `${DEAD_LETTERS}/replay`, 'POST'],
    ['DELETE', `${DEAD_LETTERS}/purge`, 'POST'],
    ['GET', `${DEAD_LETTERS}/a/replay`, 'POST'],
    ['PUT', '/health', 'GET, HEAD'],
    ['DELETE', '/health/ready', 'GET, HEAD'],
  ])('%s %s', async (method, path, allow) => {
    const response = await request(app)[method.toLowerCase() as 'put'](path);
    expectProblem(response, 'method-not-allowed');
    expect(response.get('Allow')).toBe(allow);
  });
});

describe('What goes wrong inside', () => {
  it('is logged under the request’s id and not shown', async () => {
    const api = createTestApi();
    api.queue.fault = new TypeError('secret of the service');
    const response = await post(api.app).set('X-Request-Id', 'request-1');
    expectProblem(response, 'internal');
    expect(response.text).not.toMatch(/secret|TypeError|\.ts|node_modules/);
    expect(api.logged).toEqual([
      {
        level: 'error',
        message: problems.internal.title,
        fields: { err: api.queue.fault, requestId: 'request-1' },
      },
    ]);
  });

  it.each([
    ['a broker that is away', new QueueUnavailable('amqp://user:password@host'), 503],
    ['an error that claims to be the client’s', Object.assign(new Error('secret'), { status: 599 }), 500],
    ['something thrown that is no error', 'secret' as unknown as Error, 500],
  ])('shows nothing of %s', async (_name, fault, status) => {
    const api = createTestApi();
    api.queue.fault = fault;
    const response = await post(api.app);
    expect(response.status).toBe(status);
    expect(response.text).not.toMatch(/secret|password|"status":599/);
    expect(api.logged).toHaveLength(1);
  });

  it('is logged once while every request fails for it, not once a request', async () => {
    const api = createTestApi({}, { store: awayStore });
    api.queue.fault = new QueueUnavailable('away');
    for (let count = 0; count < 20; count++) {
      expectProblem(await post(api.app), 'queue-unavailable');
      expectProblem(await getAsAdmin(api.app), 'store-unavailable');
    }
    expect(api.logged.map(({ level, message }) => [level, message])).toEqual([
      ['warn', problems['queue-unavailable'].title],
      ['warn', problems['store-unavailable'].title],
    ]);
    const later = performance.now() + 10_000;
    const clock = jest.spyOn(performance, 'now').mockReturnValue(later);
    await post(api.app);
    clock.mockRestore();
    expect(api.logged.at(-1)?.fields).toMatchObject({ err: api.queue.fault, leftOut: 19 });
  });

  it('is no reason to log what clients do wrong', async () => {
    const api = createTestApi();
    await post(api.app, {});
    await postRaw(api.app, '{');
    await request(api.app).get('/nowhere');
    await request(api.app).get(ACTIVITIES).set('Authorization', `Bearer ${ADMIN_KEY}x`);
    expect(api.logged).toEqual([]);
  });
});
