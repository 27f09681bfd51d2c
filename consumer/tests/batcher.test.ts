import { StoreUnavailable } from '@event-tracker/shared/errors';
import { createBackoff } from '../services/backoff.ts';
import { Batcher } from '../services/batcher.ts';
import { type Delivery, type SaveOutcome } from '../store/store.ts';
import { until } from '../../tools/services/in-tests.ts';
import { aDelivery, silent } from './events.ts';

const limits = { batchSizeMax: 3, writesInFlightMax: 2 };

/** A store whose writes end when the test says so. */
function createManualStore() {
  const writes: {
    size: number;
    resolve: (outcomes?: SaveOutcome[]) => void;
    reject: (error: Error) => void;
  }[] = [];
  const save = (deliveries: readonly Delivery[]) =>
    new Promise<SaveOutcome[]>((resolve, reject) => {
      const stored = deliveries.map((): SaveOutcome => ({ status: 'stored' }));
      writes.push({ size: deliveries.length, resolve: (outcomes = stored) => resolve(outcomes), reject });
    });
  return { save, writes, sizes: () => writes.map(({ size }) => size) };
}

function setUp(options = limits) {
  const store = createManualStore();
  const backoff = createBackoff(5, silent);
  return { store, backoff, batcher: new Batcher(store, backoff, options) };
}

const addOne = async (batcher: Batcher, bytes?: number) => (await batcher.add([aDelivery()], bytes))[0];
const turn = () => new Promise((resolve) => setImmediate(resolve));
const add = (batcher: Batcher, count: number) => Array.from({ length: count }, () => addOne(batcher));

test('writes at once when idle, with everything that came in the same turn', async () => {
  const { store, batcher } = setUp();
  const added = add(batcher, 2);
  await turn();
  expect(store.sizes()).toEqual([2]);
  store.writes[0]?.resolve();
  expect(await Promise.all(added)).toEqual([{ status: 'stored' }, { status: 'stored' }]);
});

test('while a write is in flight the batch grows; a full one goes out beside it, and no third', async () => {
  const { store, batcher } = setUp();
  void add(batcher, 1);
  await turn();
  void add(batcher, 2);
  await turn();
  expect(store.sizes()).toEqual([1]);
  void add(batcher, 8);
  await turn();
  expect(store.sizes()).toEqual([1, 3]);
  store.writes[0]?.resolve();
  await until(() => store.writes.length === 3);
  expect(store.sizes()).toEqual([1, 3, 3]);
  store.writes[1]?.resolve();
  store.writes[2]?.resolve();
  await until(() => store.writes.length === 4);
  store.writes[3]?.resolve();
  await until(() => store.writes.length === 5);
  expect(store.sizes()).toEqual([1, 3, 3, 3, 1]);
});

test('beside a write of a hundredth of a batch the next one goes out at once, and no third', async () => {
  const { store, batcher } = setUp({ batchSizeMax: 200, writesInFlightMax: 2 });
  for (const count of [2, 1, 1]) {
    void add(batcher, count);
    await turn();
  }
  expect(store.sizes()).toEqual([2, 1]);
  store.writes[0]?.resolve();
  await until(() => store.writes.length === 3);
  store.writes[1]?.resolve();
  store.writes[2]?.resolve();
  await turn();
  void add(batcher, 3);
  await turn();
  void add(batcher, 1);
  await turn();
  expect(store.sizes()).toEqual([2, 1, 1, 3]);
});

test('behind a write of many events the next one gathers for as long as that took, unless a batch is full', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  try {
    const { store, batcher } = setUp({ batchSizeMax: 20, writesInFlightMax: 2 });
    void add(batcher, 16);
    await turn();
    jest.advanceTimersByTime(4);
    store.writes[0]?.resolve();
    await turn();
    for (const count of [1, 2]) {
      void add(batcher, count);
      await turn();
    }
    jest.advanceTimersByTime(3);
    await turn();
    expect(store.sizes()).toEqual([16]);
    void add(batcher, 20);
    await turn();
    expect(store.sizes()).toEqual([16, 20]);
    store.writes[1]?.resolve();
    await turn();
    jest.advanceTimersByTime(1);
    await turn();
    expect(store.sizes()).toEqual([16, 20, 3]);
    store.writes[2]?.resolve();
    await turn();
    // Few events came last, so that the next one does not wait.
    void add(batcher, 1);
    await turn();
    expect(store.sizes()).toEqual([16, 20, 3, 1]);
  } finally {
    jest.useRealTimers();
  }
});

test('a batch ends at 8 MiB, and a larger event is written alone', async () => {
  const { store, batcher } = setUp({ batchSizeMax: 100, writesInFlightMax: 1 });
  const MiB = 1024 * 1024;
  for (const size of [3, 4, 3, 17, 1, 8]) void addOne(batcher, size * MiB);
  for (let count = 1; count <= 5; count += 1) {
    await until(() => store.writes.length === count);
    store.writes[count - 1]?.resolve();
  }
  expect(store.sizes()).toEqual([2, 1, 1, 1, 1]);
});

test('each event has its own outcome', async () => {
  const { store, batcher } = setUp();
  const added = add(batcher, 3);
  await turn();
  const outcomes: SaveOutcome[] = [
    { status: 'duplicate' },
    { status: 'rejected', error: 'too large' },
    { status: 'stored' },
  ];
  store.writes[0]?.resolve(outcomes);
  expect(await Promise.all(added)).toEqual(outcomes);
});

test('a store that is away gets the same batch again until it takes it', async () => {
  const { store, backoff, batcher } = setUp();
  const added = add(batcher, 2);
  for (let failures = 0; failures < 3; failures += 1) {
    await until(() => store.writes.length === failures + 1);
    store.writes[failures]?.reject(new StoreUnavailable('away'));
  }
  await until(() => store.writes.length === 4);
  expect(backoff.healthy).toBe(false);
  store.writes[3]?.resolve();
  await Promise.all(added);
  expect(store.sizes()).toEqual([2, 2, 2, 2]);
  expect(backoff.healthy).toBe(true);
});

test('stopped while the store is away, everything that is held is given up, what waits too', async () => {
  const { store, backoff, batcher } = setUp();
  const added = add(batcher, 20);
  const settled = Promise.allSettled(added);
  await until(() => store.writes.length >= 2);
  store.writes.forEach(({ reject }) => reject(new StoreUnavailable('away')));
  await turn();
  backoff.stop();
  store.writes.forEach(({ reject }) => reject(new StoreUnavailable('away')));
  for (const result of await settled) {
    expect(result).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) as Error });
  }
});

test('an unexpected error is that of its batch alone', async () => {
  const { store, batcher } = setUp({ batchSizeMax: 1, writesInFlightMax: 2 });
  const [bad, good] = [addOne(batcher), addOne(batcher)];
  await turn();
  store.writes[0]?.reject(new TypeError('bug'));
  store.writes[1]?.resolve();
  await expect(bad).rejects.toThrow('bug');
  expect(await good).toEqual({ status: 'stored' });
});

test('the events of one message share batches with others, and their outcomes come together', async () => {
  const { store, batcher } = setUp();
  const [first, second] = [
    batcher.add([aDelivery(), aDelivery()]),
    batcher.add([aDelivery(), aDelivery(), aDelivery()]),
  ];
  await turn();
  expect(store.sizes()).toEqual([3]);
  store.writes[0]?.resolve([{ status: 'stored' }, { status: 'duplicate' }, { status: 'duplicate' }]);
  expect(await first).toEqual([{ status: 'stored' }, { status: 'duplicate' }]);
  await until(() => store.writes.length === 2);
  store.writes[1]?.resolve();
  expect(await second).toEqual([{ status: 'duplicate' }, { status: 'stored' }, { status: 'stored' }]);
  expect(await batcher.add([])).toEqual([]);
});

test('a message fails only when nothing of it is being written any more', async () => {
  const { store, batcher } = setUp({ batchSizeMax: 1, writesInFlightMax: 2 });
  let isOver = false;
  const message = batcher.add([aDelivery(), aDelivery()]).finally(() => (isOver = true));
  await turn();
  store.writes[0]?.reject(new TypeError('bug'));
  await turn();
  expect(isOver).toBe(false);
  store.writes[1]?.resolve();
  await expect(message).rejects.toThrow('bug');
});

test('there is room for two batches; who waits for it enters in order, whether the one before adds anything or not', async () => {
  const { store, batcher } = setUp({ batchSizeMax: 2, writesInFlightMax: 1 });
  await batcher.room(1);
  void batcher.add(Array.from({ length: 7 }, aDelivery));
  await turn();
  const entered: number[] = [];
  for (const id of [1, 2, 3]) void batcher.room(40_000).then(() => entered.push(id));
  await turn();
  expect([store.sizes(), entered]).toEqual([[2], []]);
  store.writes[0]?.resolve();
  await until(() => entered.length === 3);
  expect(store.sizes()).toEqual([2, 2]);
  expect(entered).toEqual([1, 2, 3]);
});
