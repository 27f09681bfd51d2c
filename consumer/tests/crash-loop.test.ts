import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { openQueue } from '@event-tracker/shared/queue/open';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { ATTEMPTS_MAX } from '../services/crash-isolation.ts';
import { openStore } from '../store/open.ts';
import { allDead, anEvent, silent } from './events.ts';

const root = path.join(__dirname, '../..');
const GOOD = 1000;

/** Starts the worker again whenever it ends, until it is told to stop. */
function supervise(environment: Record<string, string>, beforeRestart: () => Promise<unknown>) {
  const exits: (number | string)[] = [];
  let stopping = false;
  let child: ReturnType<typeof start>;

  function start() {
    const preload = path.join(__dirname, 'crash-preload.ts');
    const worker = path.join(root, 'consumer/worker.ts');
    const args = ['--import', 'tsx', '--conditions=source', '--import', preload, worker];
    return spawn(process.execPath, args, {
      cwd: root,
      env: { PATH: process.env.PATH, LOG_LEVEL: 'error', CONSUMER_PORT: '0', ...environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  const ended = (async () => {
    while (!stopping) {
      child = start();
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      exits.push(code ?? signal ?? '');
      await beforeRestart();
    }
  })();
  return {
    exits,
    async stop() {
      stopping = true;
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** One message that kills the worker, in the midst of good ones; the good ones in messages of one and of fifty. */
async function poisonAmongGoodOnes(
  queueUrl: string,
  beforeRestart: (name: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const name = uniqueName('crash');
  const storeUrl = `${serviceUrl('mongodb')}/${name}`;
  const queueOptions = {
    name,
    type: 'default',
    messageEventsMax: 1,
    inFlightMax: 2000,
    publishTimeoutMs: 10_000,
  } as const;
  const queue = await openQueue(queueUrl, queueOptions, silent);
  const store = await openStore(storeUrl, { worker: 'reader', timeoutMs: 10_000 });
  const client = new MongoClient(serviceUrl('mongodb'));
  const poison = anEvent({ eventId: 'poison', eventType: 'crash' });
  const good = Array.from({ length: GOOD }, (_, index) => anEvent({ eventId: `good-${index}` }));
  const messages = good.slice(0, 200).map((event) => [event]);
  for (let start = 200; start < GOOD; start += 50) messages.push(good.slice(start, start + 50));
  messages.splice(100, 0, [poison]);
  for (const events of messages) await queue.publish(events);

  const environment = { QUEUE_URL: queueUrl, STORE_URL: storeUrl, QUEUE_NAME: name, WORKER_NAME: 'victim' };
  const supervisor = supervise(environment, () => beforeRestart(name));
  const activities = client.db(name).collection('activities');
  try {
    await until(async () => (await store.listDead({ limit: 10 })).length > 0);
    await until(async () => (await activities.countDocuments()) >= GOOD);
    await until(async () => (await queue.depth()) === 0);
  } finally {
    await supervisor.stop();
  }
  const letters = await allDead(store);
  const stored = await activities.distinct('eventId');
  const counters = await client.db(name).collection('delivery_attempts').countDocuments();
  const left = await queue.depth();
  await client.db(name).dropDatabase();
  await Promise.all([queue.close(), store.close(), client.close()]);

  expect(stored.sort()).toEqual(good.map(({ eventId }) => eventId).sort());
  expect(letters).toMatchObject([{ reason: 'crash-loop', worker: 'victim', attempts: ATTEMPTS_MAX + 2 }]);
  expect(JSON.parse(letters[0]!.body.toString())).toEqual(poison);
  // One crash with the first delivery, one an attempt, and in the end SIGTERM.
  expect(supervisor.exits).toEqual([...Array<string>(ATTEMPTS_MAX + 1).fill('SIGKILL'), 0]);
  expect([left, counters]).toEqual([0, 0]);
}

describeWith(['rabbitmq', 'mongodb'], 'a message that kills the worker, among good ones in RabbitMQ', () => {
  test(
    'is one dead letter, and every good one is stored',
    () => poisonAmongGoodOnes(serviceUrl('rabbitmq')),
    120_000,
  );
});

describeWith('mongodb', 'a message that kills the worker, among good ones in MongoDB', () => {
  test('is one dead letter, and every good one is stored', async () => {
    const database = uniqueName('crash_queue');
    const client = new MongoClient(serviceUrl('mongodb'));
    // The leases of the dead worker run out by themselves; the test does not wait for it.
    const endLeases = (name: string) =>
      client
        .db(database)
        .collection(name)
        .updateMany({ lease: { $exists: true } }, { $set: { visibleAt: Date.now() } });
    await poisonAmongGoodOnes(`${serviceUrl('mongodb')}/${database}`, endLeases);
    await client.db(database).dropDatabase();
    await client.close();
  }, 120_000);
});

describeWith(['kafka', 'mongodb'], 'a message that kills the worker, among good ones in Kafka', () => {
  // The session of each dead worker has to run out before the next one is given its partitions.
  test(
    'is one dead letter, and every good one is stored',
    () => poisonAmongGoodOnes(serviceUrl('kafka')),
    240_000,
  );
});
