import { type Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describeWith } from '../../tools/services/in-tests.ts';
import { startRedis } from '../../tools/services/redis.ts';
import { type Service } from '../../tools/services/service.ts';
import { openRateLimitStore, type RedisRateLimitStore } from '../services/rate-limit-store.ts';
import { closeServers, createTestApi, listenAs, type LogEntry, post, recordingLogger } from './support.ts';

/** What one API process has: a connection to Redis, a state and counters of its own. */
interface Api {
  server: Server;
  counters: RedisRateLimitStore;
  logged: LogEntry[];
}

/**
 * The API promises local limits within 300 ms of a request when Redis does not answer. Tests on a busy machine grant
 * more; what they show is that no request waits for Redis itself.
 */
const ANSWER_MS_MAX = 2000;

let redis: Service;
const apis: Api[] = [];
let clients = 0;

async function startApis(count: number, settings: Record<string, string> = {}): Promise<Api[]> {
  for (let started = 0; started < count; started++) {
    const { logger, entries } = recordingLogger();
    const windowMs = Number(settings.RATE_LIMIT_WINDOW_MS ?? 60_000);
    const counters = await openRateLimitStore(redis.url, windowMs, logger);
    const { app } = createTestApi(
      { RATE_LIMIT_MAX_REQUESTS: '50', TRUST_PROXY: '1', ...settings },
      { rateLimitStore: counters },
    );
    apis.push({ server: await listenAs(app, '10.0.0.1'), counters, logged: entries });
  }
  return apis;
}

interface Outcome {
  accepted: number;
  refused: number;
  slowestMs: number;
}

/** Sends requests of one client to the APIs in turn; each of them has to be answered, with 202 or 429. */
async function send(
  to: readonly Api[],
  count: number,
  client = newClient(),
  intervalMs = 0,
): Promise<Outcome> {
  const outcome = { accepted: 0, refused: 0, slowestMs: 0 };
  const requests = Array.from({ length: count }, async (_, index) => {
    await delay(index * intervalMs);
    const sentAt = performance.now();
    const { server } = to[index % to.length]!;
    const { status } = await post(server).set('X-Forwarded-For', client);
    outcome.slowestMs = Math.max(outcome.slowestMs, performance.now() - sentAt);
    expect([202, 429]).toContain(status);
    outcome[status === 202 ? 'accepted' : 'refused']++;
  });
  await Promise.all(requests);
  return outcome;
}

/** An address that nobody has had before. */
function newClient(): string {
  clients++;
  return `198.51.${clients >> 8}.${clients & 255}`;
}

async function degraded(is: boolean): Promise<void> {
  while (apis.some(({ counters }) => counters.degraded !== is)) await delay(20);
}

async function command(...words: [string, ...string[]]): Promise<void> {
  const client = new Redis(redis.url);
  await client.call(...words);
  client.disconnect();
}

describeWith('redis', 'Limits that are counted in Redis', () => {
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    redis.resume();
    await redis.restart();
  });
  afterEach(() => {
    for (const { counters } of apis.splice(0)) counters.shutdown();
    closeServers();
  });
  afterAll(() => redis.stop());

  it.each([1, 4])('let exactly 50 of 60 requests through, over %i API processes', async (count) => {
    const outcome = await send(await startApis(count), 60);
    expect(outcome).toMatchObject({ accepted: 50, refused: 10 });
  });

  it('let exactly 50 of 200 requests at once through, over four API processes', async () => {
    expect(await send(await startApis(4), 200)).toMatchObject({ accepted: 50, refused: 150 });
  });

  it('do not mix clients', async () => {
    const four = await startApis(4);
    const outcomes = await Promise.all([send(four, 60), send(four, 40), send(four, 51)]);
    expect(outcomes.map(({ accepted }) => accepted)).toEqual([50, 40, 50]);
  });

  it('begin anew when the window is over', async () => {
    const two = await startApis(2, { RATE_LIMIT_WINDOW_MS: '1500' });
    const client = newClient();
    expect((await send(two, 60, client)).accepted).toBe(50);
    await delay(1600);
    expect((await send(two, 60, client)).accepted).toBe(50);
  });

  it('leave nothing behind in Redis once the window is over', async () => {
    await send(await startApis(1, { RATE_LIMIT_WINDOW_MS: '200' }), 3);
    await delay(300);
    const client = new Redis(redis.url);
    expect(await client.keys('*')).toEqual([]);
    client.disconnect();
  });

  it('count in each process alone while Redis is killed, and every request is answered', async () => {
    const two = await startApis(2);
    expect((await send(two, 60)).accepted).toBe(50);
    await redis.kill();
    const outcome = await send(two, 120);
    // 60 requests reach each process.
    expect(outcome).toMatchObject({ accepted: 100, refused: 20 });
    expect(outcome.slowestMs).toBeLessThan(ANSWER_MS_MAX);
    await degraded(true);
  });

  it('answer every request while Redis is killed in the middle of them', async () => {
    const one = await startApis(1);
    const outcome = send(one, 100, newClient(), 5);
    await delay(200);
    await redis.kill();
    const { accepted, slowestMs } = await outcome;
    // What Redis counted before is lost with it.
    expect(accepted).toBeGreaterThanOrEqual(50);
    expect(accepted).toBeLessThanOrEqual(100);
    expect(slowestMs).toBeLessThan(ANSWER_MS_MAX);
  });

  it('are shared again after Redis is back', async () => {
    const two = await startApis(2);
    await redis.kill();
    await send(two, 10);
    await degraded(true);
    await redis.restart();
    await degraded(false);
    const outcome = await send(two, 60);
    expect(outcome).toMatchObject({ accepted: 50, refused: 10 });
    expect(outcome.slowestMs).toBeLessThan(ANSWER_MS_MAX);
  });

  it('are shared again however often Redis goes and comes', async () => {
    const two = await startApis(2);
    for (let round = 0; round < 3; round++) {
      await redis.kill();
      expect((await send(two, 120)).accepted).toBe(100);
      await redis.restart();
      await degraded(false);
      expect((await send(two, 60)).accepted).toBe(50);
    }
  });

  it.each([
    ['FLUSHALL', ['FLUSHALL'] as const],
    ['SCRIPT FLUSH', ['SCRIPT', 'FLUSH'] as const],
  ])('stay shared after %s', async (_name, words) => {
    const four = await startApis(4);
    await send(four, 8);
    await command(...(words as unknown as [string]));
    expect(await send(four, 60)).toMatchObject({ accepted: 50, refused: 10 });
    expect(apis.some(({ counters }) => counters.degraded)).toBe(false);
  });

  it('keep no request waiting while Redis hangs, and count in each process alone', async () => {
    const two = await startApis(2);
    await send(two, 10);
    redis.pause();
    const outcome = await send(two, 120, newClient(), 4);
    expect(outcome).toMatchObject({ accepted: 100, refused: 20 });
    expect(outcome.slowestMs).toBeLessThan(ANSWER_MS_MAX);
    await degraded(true);

    redis.resume();
    await degraded(false);
    expect(await send(two, 60)).toMatchObject({ accepted: 50, refused: 10 });
  });

  it('wait for a hanging Redis once, not with every request', async () => {
    const one = await startApis(1);
    redis.pause();
    await send(one, 1);
    const begun = performance.now();
    for (let count = 0; count < 40; count++) await send(one, 1);
    // Forty waits would take 8 s.
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it.each<[string, () => void | Promise<void>, () => void | Promise<void>]>([
    ['down', () => redis.kill(), () => redis.restart()],
    ['hanging', () => redis.pause(), () => redis.resume()],
  ])(
    'are there from the first request on when Redis is %s at the start, and shared once it is up',
    async (_name, fail, mend) => {
      await fail();
      const two = await startApis(2);
      await degraded(true);
      const outcome = await send(two, 120);
      expect(outcome).toMatchObject({ accepted: 100, refused: 20 });
      expect(outcome.slowestMs).toBeLessThan(ANSWER_MS_MAX);

      await mend();
      await degraded(false);
      expect(await send(two, 60)).toMatchObject({ accepted: 50, refused: 10 });
    },
  );

  it('say in the log when they are counted alone and when together again, once each', async () => {
    const one = await startApis(1);
    await redis.kill();
    await send(one, 20);
    await redis.restart();
    await degraded(false);
    expect(one[0]?.logged.map(({ level, message }) => [level, message])).toEqual([
      ['info', expect.stringContaining('together')],
      ['warn', expect.stringContaining('on its own')],
      ['info', expect.stringContaining('together')],
    ]);
  });

  /** Requests of these clients in one turn of the event loop, over stores of two processes: the number that each has. */
  async function countInOneTurn(stores: RedisRateLimitStore[], requests: number, keys: string[]) {
    const counted = keys.map((): Promise<number>[] => []);
    for (let count = 0; count < requests; count++) {
      for (const [at, key] of keys.entries()) {
        const counting = stores[(count + at) % stores.length]!.increment(key);
        counted[at]!.push(counting.then(({ totalHits }) => totalHits));
      }
    }
    const numbers = await Promise.all(counted.map((each) => Promise.all(each)));
    return numbers.map((each) => each.sort((a, b) => a - b));
  }

  const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  const storesOf = (of: readonly Api[]) => of.map(({ counters }) => counters);

  it('give each request of one turn a number of its own, for every client and over two processes', async () => {
    const stores = storesOf(await startApis(2));
    const keys = [newClient(), newClient(), newClient()];
    expect(await countInOneTurn(stores, 40, keys)).toEqual(keys.map(() => oneTo(40)));
    const more = await countInOneTurn(stores, 21, keys);
    expect(more).toEqual(keys.map(() => oneTo(61).slice(40)));
  });

  it('count more clients in one turn than one command does', async () => {
    const stores = storesOf(await startApis(1));
    const keys = oneTo(2500).map((at) => `${newClient()}-${at}`);
    expect(await countInOneTurn(stores, 2, keys)).toEqual(keys.map(() => oneTo(2)));
    expect(stores[0]!.degraded).toBe(false);
  });

  it('tell all requests of one turn when their window ends, and begin anew behind it', async () => {
    const [store] = storesOf(await startApis(1, { RATE_LIMIT_WINDOW_MS: '1000' }));
    const key = newClient();
    const before = Date.now();
    const infos = await Promise.all(oneTo(5).map(() => store!.increment(key)));
    expect(new Set(infos.map(({ resetTime }) => resetTime?.getTime())).size).toBe(1);
    expect(infos[0]!.resetTime!.getTime()).toBeGreaterThanOrEqual(before + 1000 - 1);
    await delay(1100);
    expect(await countInOneTurn([store!], 5, [key])).toEqual([oneTo(5)]);
  });

  it('stay exact within one turn when Redis has forgotten its script', async () => {
    const stores = storesOf(await startApis(2));
    const key = newClient();
    await command('SCRIPT', 'FLUSH');
    expect(await countInOneTurn(stores, 30, [key])).toEqual([oneTo(30)]);
    expect(await countInOneTurn(stores, 30, [key])).toEqual([oneTo(60).slice(30)]);
    const client = new Redis(redis.url);
    expect(await client.pttl(`{rate-limit}:${key}`)).toBeGreaterThan(0);
    client.disconnect();
  });

  it('accept exactly the limit of many requests that arrive at once from several addresses', async () => {
    const two = await startApis(2);
    const outcomes = await Promise.all(oneTo(4).map(() => send(two, 120)));
    expect(outcomes.map(({ accepted, refused }) => [accepted, refused])).toEqual(
      oneTo(4).map(() => [50, 70]),
    );
  });

  it('number every request of a turn in the midst of which Redis is killed or hangs', async () => {
    for (const fail of [() => redis.kill(), () => Promise.resolve(redis.pause())]) {
      const [store] = storesOf(await startApis(1));
      const keys = [newClient(), newClient()];
      await countInOneTurn([store!], 2, keys);
      // What is counted while it fails may be counted by either, and each request has a number.
      const counting = countInOneTurn([store!], 30, keys);
      await fail();
      const after = countInOneTurn([store!], 30, keys);
      const numbers = (await Promise.all([counting, after])).flat(2);
      expect(numbers).toHaveLength(120);
      expect(numbers.every((number) => Number.isSafeInteger(number) && number >= 1)).toBe(true);
      redis.resume();
      await redis.restart();
      for (const { counters } of apis.splice(0)) counters.shutdown();
    }
  });

  it('fall back to this process when Redis answers with an error within a turn', async () => {
    const [store] = storesOf(await startApis(1));
    const key = newClient();
    await command('LPUSH', `{rate-limit}:${key}`, 'x');
    await command('PEXPIRE', `{rate-limit}:${key}`, '60000');
    expect(await countInOneTurn([store!], 20, [key])).toEqual([oneTo(20)]);
  });

  it('fall back to this process when Redis answers with an error', async () => {
    const two = await startApis(1);
    const client = newClient();
    await command('LPUSH', `{rate-limit}:${client}`, 'x');
    await command('PEXPIRE', `{rate-limit}:${client}`, '60000');
    expect(await send(two, 60, client)).toMatchObject({ accepted: 50, refused: 10 });
  });
});
