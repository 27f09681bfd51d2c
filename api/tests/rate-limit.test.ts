import { setTimeout as delay } from 'node:timers/promises';
import { type Express } from 'express';
import {
  activity,
  BATCH,
  closeServers,
  createTestApi,
  expectProblem,
  listenAs,
  post,
  postRaw,
} from './support.ts';

afterEach(closeServers);

type Target = Parameters<typeof post>[0];

/** How many of so many requests, sent at the same time, are accepted; the others are all refused as too many. */
async function accepted(
  target: Target,
  count: number,
  headers: Record<string, string> = {},
): Promise<number> {
  const answers = await Promise.all(Array.from({ length: count }, async () => post(target).set(headers)));
  const taken = answers.filter(({ status }) => status === 202);
  for (const answer of answers) if (answer.status !== 202) expectProblem(answer, 'rate-limited');
  return taken.length;
}

const from = (address: string) => ({ 'X-Forwarded-For': address });
const limitedTo = (limit: number, settings: Record<string, string> = {}) =>
  createTestApi({ RATE_LIMIT_MAX_REQUESTS: String(limit), ...settings });

describe('The limit', () => {
  it('lets exactly 50 of 60 requests through with the settings that nobody has changed', async () => {
    const { app, queue } = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '' });
    expect(await accepted(await listenAs(app), 60)).toBe(50);
    expect(queue.events).toHaveLength(50);
  });

  it('counts single events and batches together, and a batch once', async () => {
    const { app } = limitedTo(3);
    const statuses: number[] = [];
    for (const path of [BATCH, undefined, BATCH, undefined, BATCH]) {
      statuses.push((await post(app, path ? [activity(), activity()] : activity(), path)).status);
    }
    expect(statuses).toEqual([202, 202, 202, 429, 429]);
  });

  it('counts what is refused for other reasons too', async () => {
    const { app } = limitedTo(3);
    const statuses = [
      (await postRaw(app, '{')).status,
      (await post(app, {})).status,
      (await postRaw(app, 'x', { 'Content-Type': 'image/png' })).status,
      (await post(app)).status,
    ];
    expect(statuses).toEqual([400, 400, 415, 429]);
  });

  it('tells in headers what is left, and when to come back', async () => {
    const { app } = limitedTo(2);
    const [first, second, third] = [await post(app), await post(app), await post(app)];
    for (const answer of [first, second, third])
      expect(answer.get('RateLimit-Policy')).toMatch(/^"[^"]+"; q=2; w=60; pk=:[\w+/=]+:$/);
    expect(first.get('RateLimit')).toMatch(/^"[^"]+"; r=1; t=(?:60|59)$/);
    expect(second.get('RateLimit')).toMatch(/^"[^"]+"; r=0; t=\d+$/);
    expectProblem(third, 'rate-limited');
    expect(third.get('RateLimit')).toMatch(/^"[^"]+"; r=0; t=\d+$/);
    expect(third.get('Retry-After')).toMatch(/^(?:60|59|58)$/);
    expect([first.get('Retry-After'), second.get('Retry-After')]).toEqual([undefined, undefined]);
    for (const answer of [first, third])
      expect(Object.keys(answer.headers).join()).not.toMatch(/x-ratelimit/i);
  });

  it('begins anew when its window is over', async () => {
    const { app } = limitedTo(2, { RATE_LIMIT_WINDOW_MS: '1000' });
    expect(await accepted(app, 5)).toBe(2);
    const refused = await post(app);
    expect(refused.get('Retry-After')).toBe('1');
    await delay(1100);
    expect(await accepted(app, 5)).toBe(2);
  });

  it('takes neither memory nor time for the body of a request that it refuses', async () => {
    const { app } = limitedTo(1);
    await post(app);
    expectProblem(await postRaw(app, '{', { 'Content-Type': 'image/png' }), 'rate-limited');
  });

  it('makes no error of a client that is gone before it is counted', async () => {
    const { app, queue, logged } = limitedTo(5);
    const server = await listenAs(app, '');
    await expect(post(server)).rejects.toThrow('socket hang up');
    expect([queue.events, logged]).toEqual([[], []]);
  });

  it('does not mix addresses', async () => {
    const { app } = limitedTo(2);
    const [one, other] = [await listenAs(app, '203.0.113.1'), await listenAs(app, '203.0.113.2')];
    expect([await accepted(one, 4), await accepted(other, 4)]).toEqual([2, 2]);
  });
});

describe('RATE_LIMIT_MODE', () => {
  it('observe lets everything through and logs an address once in a window', async () => {
    const { app, logged } = limitedTo(5, { RATE_LIMIT_MODE: 'observe' });
    const server = await listenAs(app, '203.0.113.7');
    for (let count = 0; count < 20; count++) {
      const answer = await post(server);
      expect([answer.status, answer.get('Retry-After')]).toEqual([202, undefined]);
    }
    expect(logged).toEqual([
      {
        level: 'warn',
        message: 'rate limit exceeded',
        fields: { ip: '203.0.113.7', limit: 5, mode: 'observe' },
      },
    ]);
  });

  it('enforce logs an address once in a window', async () => {
    const { app, logged } = limitedTo(5);
    expect(await accepted(app, 20)).toBe(5);
    expect(logged.map(({ level, message }) => [level, message])).toEqual([['warn', 'rate limit exceeded']]);
  });

  it('off neither counts nor tells', async () => {
    const { app, logged } = limitedTo(1, { RATE_LIMIT_MODE: 'off' });
    expect(await accepted(app, 10)).toBe(10);
    expect((await post(app)).get('RateLimit')).toBeUndefined();
    expect(logged).toEqual([]);
  });
});

describe('RATE_LIMIT_ALLOWLIST', () => {
  const { app } = limitedTo(1, { RATE_LIMIT_ALLOWLIST: '192.0.2.1, 10.0.0.0/8,2001:db8:1::/48,2001:db8::5' });

  it.each(['192.0.2.1', '::ffff:192.0.2.1', '10.1.2.3', '::ffff:10.1.2.3', '2001:db8:1:2::3', '2001:db8::5'])(
    'frees %s from the limit',
    async (address) => {
      expect(await accepted(await listenAs(app, address), 5)).toBe(5);
    },
  );

  it.each(['192.0.2.2', '::ffff:192.0.2.3', '11.0.0.1', '2001:db8:2::3', '2001:db8:0:9::5'])(
    'does not free %s',
    async (address) => {
      expect(await accepted(await listenAs(app, address), 5)).toBe(1);
    },
  );
});

describe('IPv6 addresses', () => {
  it('of one /64 share a limit, those of another have their own', async () => {
    const server = await proxied(limitedTo(3, { TRUST_PROXY: '1' }).app);
    const one = await accepted(server, 2, from('2001:db8:0:1::1'));
    const neighbour = await accepted(server, 4, from('2001:db8:0:1:ffff:ffff:ffff:ffff'));
    const other = await accepted(server, 4, from('2001:db8:0:2::1'));
    expect([one, neighbour, other]).toEqual([2, 1, 3]);
  });

  it('that stand for an IPv4 address share its limit', async () => {
    const server = await proxied(limitedTo(3, { TRUST_PROXY: '1' }).app);
    expect(await accepted(server, 2, from('::ffff:198.51.100.1'))).toBe(2);
    expect(await accepted(server, 4, from('198.51.100.1'))).toBe(1);
    expect(await accepted(server, 4, from('::ffff:198.51.100.2'))).toBe(3);
  });
});

describe('X-Forwarded-For', () => {
  it('does not help who forges it, as long as TRUST_PROXY is not set', async () => {
    const { app, queue } = limitedTo(3);
    const server = await listenAs(app, '203.0.113.7');
    let taken = 0;
    for (let count = 0; count < 10; count++) taken += await accepted(server, 1, from(`198.51.100.${count}`));
    expect(taken).toBe(3);
    expect(new Set(queue.events.map(({ ip }) => ip))).toEqual(new Set(['203.0.113.7']));
  });

  it('counts from the right with TRUST_PROXY=1: what a client writes before the proxy’s entry changes nothing', async () => {
    const { app, queue } = limitedTo(3, { TRUST_PROXY: '1' });
    const server = await proxied(app);
    let taken = 0;
    for (let count = 0; count < 10; count++)
      taken += await accepted(server, 1, from(`192.0.2.${count}, 198.51.100.1`));
    expect(taken).toBe(3);
    expect(await accepted(server, 4, from('192.0.2.0, 198.51.100.2'))).toBe(3);
    expect(new Set(queue.events.map(({ ip }) => ip))).toEqual(new Set(['198.51.100.1', '198.51.100.2']));
  });

  it('is read two entries deep with TRUST_PROXY=2', async () => {
    const { app, queue } = limitedTo(3, { TRUST_PROXY: '2' });
    await post(await proxied(app)).set(from('192.0.2.9, 198.51.100.1, 10.0.0.2'));
    expect(queue.events[0]?.ip).toBe('198.51.100.1');
  });

  it('is believed only of the proxies whose addresses TRUST_PROXY names', async () => {
    const { app, queue } = limitedTo(3, { TRUST_PROXY: '10.0.0.0/8' });
    await post(await listenAs(app, '10.0.0.1')).set(from('192.0.2.9, 198.51.100.1'));
    await post(await listenAs(app, '203.0.113.7')).set(from('192.0.2.9'));
    expect(queue.events.map(({ ip }) => ip)).toEqual(['198.51.100.1', '203.0.113.7']);
  });

  it.each(['unknown', '198.51.100.1:4711', '[2001:db8::1]:4711', '_hidden', '999.1.1.1', '', ','])(
    'never breaks a request: %p from a trusted proxy is answered and counted',
    async (value) => {
      const server = await proxied(limitedTo(3, { TRUST_PROXY: '1' }).app);
      expect(await accepted(server, 5, from(value))).toBe(3);
    },
  );
});

/** The app behind a proxy. */
function proxied(app: Express) {
  return listenAs(app, '10.0.0.1');
}
