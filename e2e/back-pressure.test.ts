import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../tools/services/in-tests.ts';
import { type Rabbitmq, startRabbitmq } from '../tools/services/rabbitmq.ts';
import { send } from './ledger.ts';
import { ready, runProgram } from '../tools/programs.ts';
import { quantile, watchMemory } from './resources.ts';
import { endAll, NO_LIMIT, openDb, ours } from './support.ts';

afterAll(endAll);

/** How long the broker takes nothing; the issue says 60 s, which BACK_PRESSURE_SECONDS=60 gives. */
const BLOCK_MS = Number(process.env.BACK_PRESSURE_SECONDS || '12') * 1000;
const WARM_UP_MS = 5000;
const PUBLISH_TIMEOUT_MS = 3000;
const CLIENTS = 24;
/** Each client begins a request this often, whatever it is answered: the load is the same before and while blocked. */
const INTERVAL_MS = 200;
const GROWTH_MAX_MIB = 64;

/** Single events and batches of several sizes, up to what the API takes. */
const SHAPES = [
  { events: 1, bytes: 500 },
  { events: 1, bytes: 100_000 },
  { events: 100, bytes: 1000 },
  { events: 1, bytes: 500_000 },
  { events: 20, bytes: 20_000 },
];

/** Clients that go on sending whatever they are answered. */
function startLoad(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const accepted: string[] = [];
  const answers = new Map<string, number>();
  let sending = true;
  let count = 0;
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (sending) {
      const [n, begunAt] = [count++, performance.now()];
      const { events, bytes } = SHAPES[n % SHAPES.length]!;
      const ids = Array.from({ length: events }, (_, index) => `event-${n}-${index}`);
      const items = ids.map(
        (id) =>
          `{"eventId":"${id}","userId":"u","eventType":"t","timestamp":"2026-02-19T10:00:00Z","payload":{"a":"${'x'.repeat(bytes)}"}}`,
      );
      const body = Buffer.from(`[${items.join()}]`);
      const { status, headers } = await send(agent, `${url}/batch`, {
        path: '/batch',
        headers: {},
        body,
        events: [],
      });
      const answer = status === 503 ? `503, Retry-After ${headers['retry-after']}` : String(status);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      if (status === 202) accepted.push(...ids);
      await delay(Math.max(0, INTERVAL_MS - (performance.now() - begunAt)));
    }
  });
  return {
    accepted,
    answers,
    async stop() {
      sending = false;
      await Promise.all(clients);
      agent.destroy();
    },
  };
}

describeWith(['rabbitmq', 'mongodb'], 'while the broker takes nothing', () => {
  let rabbitmq: Rabbitmq;

  beforeAll(async () => {
    rabbitmq = await startRabbitmq();
  }, 120_000);
  afterAll(() => rabbitmq?.stop());

  const ways: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
    [
      'for a resource alarm',
      () => rabbitmq.ctl('set_disk_free_limit', '1000000000000000'),
      () => rabbitmq.ctl('set_disk_free_limit', '1000000'),
    ],
    ['because it hangs', () => Promise.resolve(rabbitmq.pause()), () => Promise.resolve(rabbitmq.resume())],
  ];

  test.each(ways)(
    '%s, the answer is 503 with Retry-After, memory stays, and what was accepted is stored',
    async (how, block, unblock) => {
      const name = uniqueName('e2e_pressure');
      const [port, workerPort] = [await freePort(), await freePort()];
      const settings = {
        ...{ RABBITMQ_URL: rabbitmq.url, DATABASE_URL: `${serviceUrl('mongodb')}/${name}`, QUEUE_NAME: name },
        ...{ LOG_LEVEL: 'warn', PUBLISH_TIMEOUT_MS: String(PUBLISH_TIMEOUT_MS), ...NO_LIMIT },
      };
      const api = ours(runProgram('api/server.ts', { ...settings, API_PORT: String(port) }));
      const worker = ours(
        runProgram('consumer/worker.ts', { ...settings, CONSUMER_PORT: String(workerPort) }),
      );
      await Promise.all([ready(api, port), ready(worker, workerPort)]);
      const url = `http://127.0.0.1:${port}/api/v1/activities`;

      const load = startLoad(url);
      await delay(WARM_UP_MS);
      const warm = watchMemory(api.pid);
      await delay(WARM_UP_MS);
      // What the same load needs while nothing is blocked, without its single peaks.
      const baseline = quantile(await warm(), 0.9);
      expect([...load.answers.keys()]).toEqual(['202']);

      await block();
      const blocked = watchMemory(api.pid);
      // What was underway is over by then, and the memory of the alarm has reached the API.
      await delay(PUBLISH_TIMEOUT_MS + 1000);
      load.answers.clear();
      const { status } = await fetch(`http://127.0.0.1:${port}/health/ready`);
      await delay(BLOCK_MS - PUBLISH_TIMEOUT_MS - 1000);
      const whileBlocked = Object.fromEntries(load.answers);
      const samples = await blocked();
      const growth = quantile(samples, 0.9) - baseline;
      await unblock();
      const acceptedBefore = load.accepted.length;
      await until(() => load.accepted.length > acceptedBefore);
      await delay(1000);
      await load.stop();
      const lines = api.output().split('\n').length;
      process.stderr.write(
        `${how}: ${BLOCK_MS / 1000} s, ${JSON.stringify(whileBlocked)}, baseline ${baseline.toFixed(0)} MiB, ` +
          `growth ${growth.toFixed(1)} MiB, ${load.accepted.length} accepted, ${lines} log lines\n`,
      );

      expect(Object.keys(whileBlocked)).toEqual(['503, Retry-After 1']);
      expect(whileBlocked['503, Retry-After 1']).toBeGreaterThan(BLOCK_MS / 1000);
      expect(status).toBe(503);
      expect(growth).toBeLessThan(GROWTH_MAX_MIB);
      // Thousands were refused for one reason.
      expect(lines).toBeLessThan(50);

      const activities = openDb(serviceUrl('mongodb'), name).collection<{ _id: string }>('activities');
      const missing = async () => {
        const ids = new Set(
          (await activities.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id),
        );
        return load.accepted.filter((id) => !ids.has(id)).length;
      };
      for (let left = Infinity, now = await missing(); now > 0 && now < left; now = await missing()) {
        left = now;
        await delay(5000);
      }
      expect(await missing()).toBe(0);
      expect(await Promise.all([api.stop(), worker.stop()])).toEqual([0, 0]);
      await openDb(serviceUrl('mongodb'), name).dropDatabase();
    },
    120_000 + BLOCK_MS,
  );
});
