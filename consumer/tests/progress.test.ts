import { setTimeout as delay } from 'node:timers/promises';
import { createMemoryQueue } from '@event-tracker/shared/queue/memory';
import { openQueue } from '@event-tracker/shared/queue/open';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { readWorkerConfig } from '../config.ts';
import { workerState } from '../services/metrics.ts';
import { watchProgress } from '../services/progress.ts';
import { createMemoryStore } from '../store/memory.ts';
import { startWorker } from '../worker.ts';
import { anEvent, silent } from './events.ts';

const config = readWorkerConfig({
  CONSUMER_PORT: '0',
  RABBITMQ_URL: 'amqp://unused',
  DATABASE_URL: 'mongodb://unused',
});
const BOUND_MS = 30_000;

async function checksOf(port: number): Promise<Record<string, string>> {
  const answer = await fetch(`http://127.0.0.1:${port}/health/ready`, { headers: { Connection: 'close' } });
  return ((await answer.json()) as { checks: Record<string, string> }).checks;
}

/** How long it takes until the worker says that it does not consume. */
async function timeUntilUnready(port: number): Promise<number> {
  const begun = performance.now();
  await until(async () => {
    await delay(500);
    return (await checksOf(port)).consuming === 'down';
  });
  return performance.now() - begun;
}

describe('with a clock of its own', () => {
  let depth: number | null = 0;
  let ownDepth: number | undefined;
  let storeIsUp = true;
  let progress: ReturnType<typeof watchProgress>;
  const queue = {
    depth: () => (depth === null ? Promise.reject(new Error('away')) : Promise.resolve(depth)),
  };
  const isStuck = () =>
    progress.check().then(
      () => false,
      () => true,
    );

  beforeEach(() => {
    jest.useFakeTimers();
    [depth, ownDepth, storeIsUp] = [0, undefined, true];
    const consumer = { depth: () => Promise.resolve(ownDepth!) };
    progress = watchProgress(
      queue,
      () => (ownDepth === undefined ? undefined : consumer),
      () => storeIsUp,
    );
  });
  afterEach(() => {
    progress.stop();
    workerState.handling = 0;
    jest.useRealTimers();
  });

  test('what waits for other consumers alone is no work, and what waits for this one is', async () => {
    [depth, ownDepth] = [5, 0];
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(await isStuck()).toBe(false);
    ownDepth = 5;
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await isStuck()).toBe(true);
  });

  test('idle for an hour is no fault', async () => {
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(await isStuck()).toBe(false);
  });

  test('a queue that is not empty, and nothing decided: stuck after 20 s, and well again with the next verdict', async () => {
    depth = 1;
    await jest.advanceTimersByTimeAsync(19_000);
    expect(await isStuck()).toBe(false);
    await jest.advanceTimersByTimeAsync(4000);
    expect(await isStuck()).toBe(true);
    workerState.verdicts += 1;
    await jest.advanceTimersByTimeAsync(1000);
    expect(await isStuck()).toBe(false);
  });

  test('a long queue from which something is decided now and then is progress', async () => {
    depth = 1000;
    for (let count = 0; count < 10; count += 1) {
      await jest.advanceTimersByTimeAsync(15_000);
      workerState.verdicts += 1;
      await jest.advanceTimersByTimeAsync(1000);
      expect(await isStuck()).toBe(false);
    }
  });

  test('while the store is away nothing is expected, and 20 s are left when it is back', async () => {
    depth = 1;
    workerState.handling = 5;
    storeIsUp = false;
    await jest.advanceTimersByTimeAsync(600_000);
    expect(await isStuck()).toBe(false);
    storeIsUp = true;
    await jest.advanceTimersByTimeAsync(15_000);
    expect(await isStuck()).toBe(false);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await isStuck()).toBe(true);
  });

  test('while the queue does not answer nothing is expected', async () => {
    depth = null;
    workerState.handling = 5;
    await jest.advanceTimersByTimeAsync(600_000);
    expect(await isStuck()).toBe(false);
  });
});

test(
  'a handler that never comes to an end makes the worker unready within 30 s',
  async () => {
    const [queue, store] = [createMemoryQueue(), createMemoryStore()];
    let end: (error: Error) => void = () => undefined;
    const hung = new Promise<never>((_resolve, reject) => (end = reject));
    jest.spyOn(store, 'save').mockReturnValue(hung);
    const drivers = { openQueue: () => Promise.resolve(queue), openStore: () => Promise.resolve(store) };
    const worker = await startWorker(config, silent, drivers);
    await worker.consuming;
    await queue.publish([anEvent()]);
    expect(await checksOf(worker.port)).toEqual({ queue: 'up', store: 'up', consuming: 'up' });
    expect(await timeUntilUnready(worker.port)).toBeLessThan(BOUND_MS);
    expect(await checksOf(worker.port)).toEqual({ queue: 'up', store: 'up', consuming: 'down' });
    end(new Error('given up'));
    expect(await worker.shutdown()).toBe(0);
  },
  BOUND_MS * 2,
);

describeWith('rabbitmq', 'a consumer that RabbitMQ has silently lost', () => {
  test(
    'makes the worker unready within 30 s',
    async () => {
      const store = createMemoryStore();
      const name = uniqueName('lost');
      const options = {
        name,
        type: 'default',
        messageEventsMax: 1,
        inFlightMax: 10,
        publishTimeoutMs: 5000,
      } as const;
      const queue = await openQueue(serviceUrl('rabbitmq'), options, silent);
      // The broker knows of no consumer, the worker of no fault.
      jest.spyOn(queue, 'consume').mockResolvedValue({ stop: () => Promise.resolve() });
      const drivers = { openQueue: () => Promise.resolve(queue), openStore: () => Promise.resolve(store) };
      const worker = await startWorker(config, silent, drivers);
      await worker.consuming;
      await queue.publish([anEvent()]);
      expect(await checksOf(worker.port)).toMatchObject({ consuming: 'up' });
      expect(await timeUntilUnready(worker.port)).toBeLessThan(BOUND_MS);
      expect(await worker.shutdown()).toBe(0);
    },
    BOUND_MS * 2,
  );
});
