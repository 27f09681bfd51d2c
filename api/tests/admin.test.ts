import crypto from 'node:crypto';
import request from 'supertest';
import {
  ACTIVITIES,
  ADMIN_KEY,
  DEAD_LETTERS,
  closeServers,
  createTestApi,
  expectProblem,
  listenAs,
  post,
} from './support.ts';

afterEach(closeServers);

const PATHS = [ACTIVITIES, `${ACTIVITIES}/order-1`, DEAD_LETTERS, `${DEAD_LETTERS}/letter-1`];

describe('Reads with ADMIN_KEY set', () => {
  const { app } = createTestApi();

  it.each([
    ['as a bearer token', `Bearer ${ADMIN_KEY}`],
    ['with the scheme in small letters', `bearer ${ADMIN_KEY}`],
    ['after several spaces', `Bearer   ${ADMIN_KEY}`],
  ])('answer to the key %s', async (_name, authorization) => {
    const server = await listenAs(app, '203.0.113.7');
    const statuses = PATHS.map(
      async (path) => (await request(server).get(path).set('Authorization', authorization)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 404, 200, 404]);
  });

  it.each([
    ['no key', ''],
    ['another key of the same length', `Bearer ${ADMIN_KEY.slice(0, -1)}x`],
    ['a part of the key', `Bearer ${ADMIN_KEY.slice(0, -1)}`],
    ['a longer key', `Bearer ${ADMIN_KEY}x`],
    ['a key in other letters', `Bearer ${ADMIN_KEY.toUpperCase()}`],
    ['an empty key', 'Bearer '],
    ['the key without a scheme', ADMIN_KEY],
    ['the key under Basic', `Basic ${ADMIN_KEY}`],
    ['the key as a Basic password', `Basic ${Buffer.from(`admin:${ADMIN_KEY}`).toString('base64')}`],
    ['two keys', `Bearer ${ADMIN_KEY} ${ADMIN_KEY}`],
    ['a key that is not ASCII', 'Bearer sch\u00fcssel'],
  ])('answer 401 to %s, also on the machine itself', async (_name, authorization) => {
    for (const path of PATHS) {
      const response = await request(app).get(path).set('Authorization', authorization);
      expectProblem(response, 'unauthorized');
      expect(response.get('WWW-Authenticate')).toBe('Bearer');
      expect(response.text).not.toContain(ADMIN_KEY);
    }
  });

  it('compare digests of one length in constant time, whatever the length of the key that was sent', async () => {
    const compare = jest.spyOn(crypto, 'timingSafeEqual');
    const keys = ['x', ADMIN_KEY.slice(0, 5), 'y'.repeat(ADMIN_KEY.length), 'z'.repeat(10_000), ADMIN_KEY];
    const statuses: number[] = [];
    for (const key of keys) {
      const answer = request(app).get(ACTIVITIES).set('Authorization', `Bearer ${key}`);
      statuses.push((await answer).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 200]);
    expect(compare.mock.calls.map((pair) => pair.map(({ byteLength }) => byteLength))).toEqual(
      keys.map(() => [32, 32]),
    );
    compare.mockRestore();
  });

  it('tell who has no key nothing of the query or of what is stored', async () => {
    expectProblem(await request(app).get(`${ACTIVITIES}?limit=0`), 'unauthorized');
  });

  it('leave sending open to everyone', async () => {
    expect((await post(app)).status).toBe(202);
  });
});

describe('Reads without ADMIN_KEY', () => {
  const { app } = createTestApi({ ADMIN_KEY: '' });

  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])(
    'answer to %s, the machine itself',
    async (address) => {
      const server = await listenAs(app, address);
      expect((await request(server).get(ACTIVITIES)).status).toBe(200);
    },
  );

  it.each([
    '203.0.113.7',
    '10.0.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '::ffff:203.0.113.7',
    'fd00::2',
    'fe80::1',
    '128.0.0.1',
  ])('answer 401 to %s', async (address) => {
    const server = await listenAs(app, address);
    for (const path of PATHS) expectProblem(await request(server).get(path), 'unauthorized');
  });

  it.each([
    ['X-Forwarded-For', '203.0.113.7'],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-For', ''],
    ['Forwarded', 'for=127.0.0.1'],
  ])('answer 401 to what a proxy on the machine hands on: %s: %s', async (header, value) => {
    const server = await listenAs(app, '127.0.0.1');
    expectProblem(await request(server).get(ACTIVITIES).set(header, value), 'unauthorized');
  });

  it.each([
    ['https://elsewhere.example', 401],
    ['http://localhost.elsewhere.example', 401],
    ['http://127.0.0.1.elsewhere.example', 401],
    ['null', 401],
    ['http://localhost:3000', 200],
    ['http://127.0.0.1:5173', 200],
    ['http://[::1]:3000', 200],
  ])('answer a page of %s in a browser on this machine with %i', async (origin, status) => {
    const server = await listenAs(app, '127.0.0.1');
    expect((await request(server).get(ACTIVITIES).set('Origin', origin)).status).toBe(status);
  });

  it('let no page of another site purge or replay', async () => {
    const server = await listenAs(app, '127.0.0.1');
    for (const path of ['purge', 'replay', 'a/replay']) {
      const response = await request(server)
        .post(`${DEAD_LETTERS}/${path}`)
        .set({ Origin: 'https://elsewhere.example', 'Content-Type': 'text/plain' })
        .send('{"all":true}');
      expectProblem(response, 'unauthorized');
    }
  });

  it('are not opened by a forged address where a proxy is trusted', async () => {
    const proxied = createTestApi({ ADMIN_KEY: '', TRUST_PROXY: '1' });
    const server = await listenAs(proxied.app, '203.0.113.7');
    expectProblem(await request(server).get(ACTIVITIES).set('X-Forwarded-For', '127.0.0.1'), 'unauthorized');
  });

  it('answer 401 to any key', async () => {
    const server = await listenAs(app, '203.0.113.7');
    for (const key of ['undefined', '']) {
      expectProblem(
        await request(server).get(ACTIVITIES).set('Authorization', `Bearer ${key}`),
        'unauthorized',
      );
    }
  });
});
