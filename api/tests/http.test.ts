import request, { type Response } from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { QueueUnavailable } from '@event-tracker/shared/errors';
import { ACTIVITIES, BATCH, createTestApi, FakeQueue, getAsAdmin, post } from './support.ts';

const ORIGIN = 'https://shop.example';

function preflight(app: Parameters<typeof request>[0], path: string, origin = ORIGIN) {
  return request(app).options(path).set({
    Origin: origin,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'content-type,idempotency-key',
  });
}

describe('Pages of other origins', () => {
  const { app } = createTestApi();

  it.each([ACTIVITIES, BATCH])('may send events to %s', async (path) => {
    const asked = await preflight(app, path);
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type,idempotency-key',
      'access-control-max-age': '600',
    });

    const sent = await post(app, [], path).set('Origin', ORIGIN);
    expect(sent.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'RateLimit,RateLimit-Policy,Retry-After,X-Request-Id',
    });
  });

  it('may see why they are refused', async () => {
    const limited = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '1' }).app;
    await post(limited).set('Origin', ORIGIN);
    const refused = await post(limited).set('Origin', ORIGIN);
    expect(refused.status).toBe(429);
    expect(refused.get('Access-Control-Allow-Origin')).toBe('*');
  });

  it.each([ACTIVITIES, `${ACTIVITIES}/order-1`, '/health', '/health/ready', '/'])(
    'may not read %s',
    async (path) => {
      const response = await getAsAdmin(app, path).set('Origin', ORIGIN);
      expect(response.get('Access-Control-Allow-Origin')).toBeUndefined();
    },
  );

  it.each([`${ACTIVITIES}/order-1`, '/health'])('get no leave for %s', async (path) => {
    expect((await preflight(app, path)).get('Access-Control-Allow-Origin')).toBeUndefined();
  });

  it('may send only from the origins that CORS_ORIGIN names', async () => {
    const named = createTestApi({ CORS_ORIGIN: `${ORIGIN}, https://www.shop.example` }).app;
    const leave = async (origin: string) =>
      (await preflight(named, ACTIVITIES, origin)).get('Access-Control-Allow-Origin');
    expect(await leave(ORIGIN)).toBe(ORIGIN);
    expect(await leave('https://www.shop.example')).toBe('https://www.shop.example');
    expect(await leave('https://evil.example')).toBeUndefined();
    expect((await preflight(named, ACTIVITIES)).get('Vary')).toContain('Origin');
  });

  it('are not counted for asking beforehand', async () => {
    const limited = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '2' }).app;
    for (let count = 0; count < 10; count++) {
      const asked = await preflight(limited, count % 2 ? ACTIVITIES : BATCH);
      expect(asked.status).toBe(204);
      expect(asked.get('RateLimit')).toBeUndefined();
    }
    expect([(await post(limited)).status, (await post(limited)).status]).toEqual([202, 202]);
  });
});

describe('Every answer', () => {
  const { app } = createTestApi();
  const answers: [string, () => Promise<Response>][] = [
    ['202', async () => post(app)],
    ['200', async () => getAsAdmin(app)],
    ['400', async () => post(app, {})],
    ['401', async () => request(app).get(ACTIVITIES)],
    ['404', async () => request(app).get('/nowhere')],
    ['health', async () => request(app).get('/health')],
  ];

  it.each(answers)(
    'has the headers that protect browsers, and tells nothing of the server: %s',
    async (_name, ask) => {
      const { headers } = await ask();
      expect(headers).toMatchObject({
        'content-security-policy': expect.stringContaining("default-src 'self'") as string,
        'strict-transport-security': expect.stringContaining('max-age=') as string,
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'SAMEORIGIN',
        'referrer-policy': 'no-referrer',
        'x-request-id': expect.stringMatching(/./) as string,
      });
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('etag');
      expect(headers).not.toHaveProperty('server');
    },
  );

  it('is whole, even if the client says it has it already', async () => {
    const response = await getAsAdmin(app).set('If-None-Match', 'W/"1"');
    expect(response.status).toBe(200);
  });
});

describe('GET /health', () => {
  it('answers 200, whatever is away', async () => {
    const { app, queue } = createTestApi();
    queue.fault = new QueueUnavailable('away');
    const response = await request(app).get('/health');
    expect([response.status, response.body]).toEqual([200, { status: 'ok' }]);
    expect((await request(app).head('/health')).status).toBe(200);
  });

  it('is never limited', async () => {
    const { app } = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '1' });
    await post(app);
    await post(app);
    for (let count = 0; count < 5; count++) expect((await request(app).get('/health')).status).toBe(200);
  });
});

describe('GET /health/ready', () => {
  const up = { queue: 'up', store: 'up', rateLimit: 'up' };

  it.each([
    ['everything is there', false, false, false, 200, up],
    ['the queue is away', true, false, false, 503, { ...up, queue: 'down' }],
    [
      'the store is away, since events are still taken',
      false,
      true,
      false,
      200,
      { ...up, store: 'degraded' },
    ],
    [
      'Redis is away, since this process limits alone',
      false,
      false,
      true,
      200,
      { ...up, rateLimit: 'degraded' },
    ],
    ['all is away', true, true, true, 503, { queue: 'down', store: 'degraded', rateLimit: 'degraded' }],
  ])(
    'says whether events are taken when %s',
    async (_name, queueAway, storeAway, redisAway, status, checks) => {
      const queue = new FakeQueue();
      if (queueAway) queue.fault = new QueueUnavailable('away');
      const store = Object.assign(createMemoryStore(), { away: storeAway });
      const { app } = createTestApi({}, { queue, store, limiterIsDegraded: () => redisAway });
      const response = await request(app).get('/health/ready');
      expect(response.status).toBe(status);
      expect(response.body).toEqual({ status: status === 200 ? 'ready' : 'unavailable', checks });
      expect(response.get('Retry-After')).toBe(status === 503 ? '1' : undefined);
    },
  );

  it('does not wait for a store that does not answer', async () => {
    const store = { ...createMemoryStore(), ping: () => new Promise<void>(() => undefined) };
    const { app } = createTestApi({}, { store });
    const response = await request(app).get('/health/ready');
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ status: 'ready', checks: { ...up, store: 'degraded' } });
  });

  it('asks queue and store once for a crowd of questions', async () => {
    const queue = new FakeQueue();
    const ping = jest.spyOn(queue, 'ping');
    const { app } = createTestApi({}, { queue });
    await Promise.all(Array.from({ length: 20 }, async () => request(app).get('/health/ready')));
    expect(ping).toHaveBeenCalledTimes(1);
  });
});
