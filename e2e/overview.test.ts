import path from 'node:path';
import { connect } from 'amqplib';
import { type Db } from 'mongodb';
import { type Overview } from '../api/services/overview.ts';
import { type Program, ready, root, run, runProgram } from '../tools/programs.ts';
import { createRandom } from '../tools/random.ts';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../tools/services/in-tests.ts';
import { endAll, NO_LIMIT, openDb, ours, SEED, TIMEOUT_MS } from './support.ts';

interface Sent {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: { path?: string };
}

const HOUR_MS = 3_600_000;
const HOURS = 48;
const EVENTS = 3000;
const FROM = Date.UTC(2024, 0, 3);
const random = createRandom(SEED);

/** An event in one of the hours, most of them in few. */
function anEvent(index: number, hour = random.zipf(HOURS)): Sent {
  return {
    eventId: `event-${index}`,
    userId: `user-${random.zipf(300)}`,
    eventType: random.pick(['page_view', 'page_view', 'click', 'hover']),
    timestamp: new Date(FROM + hour * HOUR_MS + random.integer(0, HOUR_MS - 1)).toISOString(),
    payload: random.chance(0.9) ? { path: `/page/${random.zipf(40)}` } : {},
  };
}

/** The names with their counts, most frequent first. */
function frequencies(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
}

const usersOf = (events: readonly Sent[]) => new Set(events.map(({ userId }) => userId)).size;

/** What the overview has to say of the events that were sent, each id once. */
function expectedOf(sent: readonly Sent[], from: number, hours: number) {
  const within = (start: number, ms: number) =>
    sent.filter(({ timestamp }) => Date.parse(timestamp) >= start && Date.parse(timestamp) < start + ms);
  const all = within(from, hours * HOUR_MS);
  const pages = frequencies(all.flatMap(({ payload }) => payload.path ?? []));
  return {
    ...{ from: new Date(from).toJSON(), to: new Date(from + hours * HOUR_MS).toJSON() },
    ...{ total: all.length, users: usersOf(all) },
    byType: frequencies(all.map(({ eventType }) => eventType)).map(([eventType, count]) => ({
      eventType,
      count,
    })),
    topPages: pages.map(([page, count]) => ({ page, count })),
    series: Array.from({ length: hours }, (_, index) => {
      const start = from + index * HOUR_MS;
      const events = within(start, HOUR_MS);
      return { start: new Date(start).toJSON(), count: events.length, users: usersOf(events) };
    }),
  };
}

describeWith(['rabbitmq', 'mongodb'], 'the overview', () => {
  const name = uniqueName('e2e_overview');
  const sent = new Map<string, Sent>();
  const environment = {
    RABBITMQ_URL: serviceUrl('rabbitmq'),
    DATABASE_URL: `${serviceUrl('mongodb')}/${name}`,
    ...{ QUEUE_NAME: name, LOG_LEVEL: 'error', ...NO_LIMIT },
  };
  let db: Db;
  let apiPort: number;
  /** Of the worker that was started last. */
  let workerPort: number;

  async function startWorker(killAt?: 'before' | 'behind'): Promise<Program> {
    workerPort = await freePort();
    const settings = { ...environment, CONSUMER_PORT: String(workerPort) };
    if (!killAt) return ours(runProgram('consumer/worker.ts', settings));
    const preload = path.join(root, 'consumer/tests/kill-preload.ts');
    const args = ['--import', 'tsx', '--conditions=source', '--import', preload, 'consumer/worker.ts'];
    return ours(run(process.execPath, args, { ...settings, KILL_AT: killAt }));
  }

  /** Sends events in batches; of some a second time, as a client does that had no answer. */
  async function send(events: readonly Sent[]): Promise<void> {
    for (let start = 0; start < events.length; start += 100) {
      const batch = events.slice(start, start + 100);
      for (const event of batch) sent.set(event.eventId, event);
      for (let times = 0; times < (start % 300 === 0 ? 2 : 1); times += 1) {
        const answer = await fetch(`http://127.0.0.1:${apiPort}/api/v1/activities/batch`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(batch),
        });
        expect(answer.status).toBe(202);
      }
    }
  }

  /** An event of another program that becomes a dead letter. */
  async function publishDead(): Promise<void> {
    const connection = await connect(serviceUrl('rabbitmq'));
    const channel = await connection.createConfirmChannel();
    const dead = { ...anEvent(-1, 0), userId: '' };
    channel.sendToQueue(name, Buffer.from(JSON.stringify(dead)), { persistent: true });
    await channel.waitForConfirms();
    await connection.close();
  }

  async function read(): Promise<Overview> {
    const range = `from=${new Date(FROM).toJSON()}&to=${new Date(FROM + HOURS * HOUR_MS).toJSON()}`;
    const answer = await fetch(`http://127.0.0.1:${apiPort}/api/v1/stats/overview?${range}`);
    return (await answer.json()) as Overview;
  }

  /** Whether the worker has decided over every message it was handed. */
  async function isIdle(): Promise<boolean> {
    const metrics = await (await fetch(`http://127.0.0.1:${workerPort}/metrics`)).text();
    return /^event_tracker_messages_in_flight 0$/m.test(metrics);
  }

  async function expectAllCounted(): Promise<void> {
    await until(async () => (await db.collection('activities').countDocuments()) === sent.size);
    // Hours are marked behind the save: what is stored and not acknowledged yet may not be among the uncounted.
    await until(isIdle);
    await until(async () => (await read()).uncounted === 0);
    const events = [...sent.values()];
    expect(await read()).toEqual({
      ...{ interval: 'hour', uncounted: 0 },
      ...expectedOf(events, FROM, HOURS),
      previous: expectedOf(events, FROM - HOURS * HOUR_MS, HOURS),
    });
  }

  beforeAll(async () => {
    db = openDb(serviceUrl('mongodb'), name);
    apiPort = await freePort();
    const api = ours(runProgram('api/server.ts', { ...environment, API_PORT: String(apiPort) }));
    await ready(api, apiPort);
  });

  afterAll(endAll);

  test(
    'is what was sent, though workers were killed with events saved and not acknowledged',
    async () => {
      await send(Array.from({ length: EVENTS }, (_, index) => anEvent(index)));
      const hours = db.collection('activity_hours');
      await (
        await startWorker('before')
      ).ended;
      expect(await db.collection('activities').countDocuments()).toBeGreaterThan(0);
      expect(await hours.countDocuments()).toBe(0);
      await (
        await startWorker('behind')
      ).ended;
      expect(await hours.countDocuments()).toBeGreaterThan(0);
      await startWorker();
      await expectAllCounted();
    },
    TIMEOUT_MS,
  );

  test(
    'has late events in their own hours, and neither duplicates nor dead letters',
    async () => {
      const late = [0, 3, 47, -5].flatMap((hour, index) => [
        anEvent(EVENTS + 2 * index, hour),
        anEvent(EVENTS + 2 * index + 1, hour),
      ]);
      await publishDead();
      await send([...late, ...[...sent.values()].slice(0, 100)]);
      await until(async () => (await db.collection('dead_letters').countDocuments()) === 1);
      await expectAllCounted();
    },
    TIMEOUT_MS,
  );
});
