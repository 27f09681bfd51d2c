import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { createMemoryQueue } from '@event-tracker/shared/queue/memory';
import { openQueue } from '@event-tracker/shared/queue/open';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { readWorkerConfig } from '../config.ts';
import { createMemoryStore } from '../store/memory.ts';
import { openStore } from '../store/open.ts';
import { startWorker } from '../worker.ts';
import { anEvent, silent } from './events.ts';

const config = readWorkerConfig({
  CONSUMER_PORT: '0',
  RABBITMQ_URL: 'amqp://unused',
  DATABASE_URL: 'mongodb://unused',
  RETRY_DELAY_MS: '10',
  RETRY_BACKOFF_MAX_MS: '20',
  WORKER_NAME: 'tester',
});

function createParts() {
  const queue = createMemoryQueue();
  const store = createMemoryStore('tester');
  const drivers = { openQueue: () => Promise.resolve(queue), openStore: () => Promise.resolve(store) };
  return { queue, store, drivers };
}

async function readiness(port: number) {
  const headers = { Connection: 'close' };
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`, { headers });
  return { code: response.status, ...((await response.json()) as { status: string; checks: object }) };
}

async function startInMemory({ away = false } = {}) {
  const { queue, store, drivers } = createParts();
  store.away = away;
  const worker = await startWorker(config, silent, drivers);
  return { queue, store, worker, ready: () => readiness(worker.port) };
}

test('what is queued is stored, and the worker is ready', async () => {
  const { queue, store, worker, ready } = await startInMemory();
  await worker.consuming;
  await queue.publish([anEvent({ eventId: 'a' }), anEvent({ eventId: 'b' })]);
  await until(async () => (await store.list({ limit: 10 })).length === 2);
  expect((await store.get('a'))?.processing.worker).toBe('tester');
  await until(async () => (await ready()).code === 200);
  expect(await worker.shutdown()).toBe(0);
  expect(await queue.depth().catch(() => 'closed')).toBe('closed');
});

test('the store goes away and comes back: 503, no dead letters, everything stored', async () => {
  const { queue, store, worker, ready } = await startInMemory();
  await worker.consuming;
  store.away = true;
  const events = Array.from({ length: 50 }, () => anEvent());
  for (const event of events) await queue.publish([event]);
  await until(async () => (await ready()).code === 503);
  expect(await ready()).toMatchObject({
    status: 'unavailable',
    checks: { store: 'down', queue: 'up' },
  });
  store.away = false;
  await until(async () => (await store.list({ limit: 100 })).length === 50);
  expect(await store.listDead({ limit: 10 })).toEqual([]);
  await until(async () => (await ready()).code === 200);
  expect(await worker.shutdown()).toBe(0);
});

test('the store is away at the start: alive, not ready, nothing taken; then it begins by itself', async () => {
  const { queue, store, worker, ready } = await startInMemory({ away: true });
  await queue.publish([anEvent({ eventId: 'early' })]);
  expect(await ready()).toMatchObject({
    code: 503,
    checks: { consuming: 'down', store: 'down' },
  });
  expect((await fetch(`http://127.0.0.1:${worker.port}/health`)).status).toBe(200);
  expect(await queue.depth()).toBe(1);
  store.away = false;
  await worker.consuming;
  await until(async () => (await store.get('early')) !== null);
  expect(await worker.shutdown()).toBe(0);
});

test('it is stopped while it still looks for the store', async () => {
  const { queue, worker } = await startInMemory({ away: true });
  await queue.publish([anEvent()]);
  expect(await worker.shutdown()).toBe(0);
  expect(await worker.consuming).toBeUndefined();
});

test('it is stopped while the store is away: the messages are in the queue', async () => {
  const { queue, store, worker } = await startInMemory();
  await worker.consuming;
  store.away = true;
  for (let count = 0; count < 10; count += 1) await queue.publish([anEvent()]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  let left = 0;
  jest.spyOn(queue, 'close').mockImplementation(async () => {
    left = await queue.depth();
  });
  expect(await worker.shutdown()).toBe(0);
  expect(left).toBe(10);
});

test('a store that refuses the worker ends it', async () => {
  const { store, drivers } = createParts();
  jest.spyOn(store, 'prepare').mockRejectedValue(new ConfigurationError('STORE_URL: refused'));
  const worker = await startWorker(config, silent, drivers);
  await expect(worker.consuming).rejects.toBeInstanceOf(ConfigurationError);
  expect(await worker.shutdown()).toBe(0);
});

test('shutdown: unready first, then what is in flight is stored, then queue, store and health server close', async () => {
  const { queue, store, drivers } = createParts();
  const order: string[] = [];
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const consume = queue.consume.bind(queue);
  const save = store.save.bind(store);
  const saving = jest.spyOn(store, 'save').mockImplementation(async (deliveries) => {
    await held;
    order.push('saved');
    return save(deliveries);
  });
  jest.spyOn(queue, 'consume').mockImplementation(async (handle, limits) => {
    const consumer = await consume(handle, limits);
    const stop = async () => {
      order.push(`consumer stops, readiness ${(await readiness(worker.port)).code}`);
      release();
      await consumer.stop();
      order.push('consumer stopped');
    };
    return { stop };
  });
  jest.spyOn(queue, 'close').mockImplementation(() => Promise.resolve(void order.push('queue closed')));
  jest.spyOn(store, 'close').mockImplementation(async () => {
    order.push(`store closed, readiness ${(await readiness(worker.port)).code}`);
  });
  const worker = await startWorker(config, silent, drivers);
  await queue.publish([anEvent({ eventId: 'last' })]);
  await until(() => saving.mock.calls.length > 0);

  expect(await worker.shutdown()).toBe(0);
  expect(order).toEqual([
    'consumer stops, readiness 503',
    'saved',
    'consumer stopped',
    'queue closed',
    'store closed, readiness 503',
  ]);
  expect(await store.get('last')).not.toBeNull();
  expect(await queue.depth()).toBe(0);
  await expect(readiness(worker.port)).rejects.toThrow('fetch failed');
});

/** The worker as a program; resolves when it has ended. */
function runProgram(environment: Record<string, string>) {
  const root = path.join(__dirname, '../..');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=source', path.join(root, 'consumer/worker.ts')],
    { cwd: root, env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, output, ended };
}

test('the program names every fault of its configuration and ends with 1', async () => {
  const { output, ended } = runProgram({ BATCH_SIZE_MAX: 'many', CONSUMER_PREFETCH: '-1' });
  expect(await ended).toBe(1);
  expect(output.stderr).toMatch(
    /^CONSUMER_PREFETCH .*\nBATCH_SIZE_MAX .*\nRABBITMQ_URL .*\nDATABASE_URL .*\n$/,
  );
});

test('the program ends with one line when its port is taken', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, resolve));
  const { port } = other.address() as AddressInfo;
  const { output, ended } = runProgram({
    CONSUMER_PORT: String(port),
    RABBITMQ_URL: 'amqp://127.0.0.1:1',
    DATABASE_URL: 'mongodb://127.0.0.1:1',
  });
  expect(await ended).toBe(1);
  expect(output.stderr).toMatch(/^CONSUMER_PORT: .*\n$/);
  await new Promise((resolve) => other.close(resolve));
});

async function throughTheProgram(queueUrl: string) {
  const name = uniqueName('worker');
  const storeUrl = `${serviceUrl('mongodb')}/${name}`;
  const queueOptions = {
    name,
    type: 'default',
    messageEventsMax: 1,
    inFlightMax: 10,
    publishTimeoutMs: 10_000,
  } as const;
  const queue = await openQueue(queueUrl, queueOptions, silent);
  const store = await openStore(storeUrl, { worker: 'reader', timeoutMs: 10_000 });
  const variables = { QUEUE_URL: queueUrl, STORE_URL: storeUrl, QUEUE_NAME: name };
  const { child, output, ended } = runProgram({ ...variables, CONSUMER_PORT: '0', WORKER_NAME: 'program' });
  try {
    await queue.publish([anEvent({ eventId: 'through' }), anEvent()]);
    await queue.publish([anEvent({ timestamp: 'never' })]);
    await until(async () => (await store.list({ limit: 10 })).length === 2);
    await until(async () => (await store.listDead({ limit: 10 })).length === 1);
    expect((await store.get('through'))?.processing.worker).toBe('program');
  } finally {
    child.kill('SIGTERM');
    await queue.close();
    await store.close();
  }
  expect([await ended, output.stderr]).toEqual([0, '']);
}

describeWith('mongodb', 'the program with queue and store in MongoDB', () => {
  test('stores what is queued and ends with 0 on SIGTERM', () =>
    throughTheProgram(`${serviceUrl('mongodb')}/${uniqueName('queue')}`));
});

describeWith(['rabbitmq', 'mongodb'], 'the program between RabbitMQ and MongoDB', () => {
  test('stores what is queued and ends with 0 on SIGTERM', () => throughTheProgram(serviceUrl('rabbitmq')));
});
