import { StoreUnavailable } from '@event-tracker/shared/errors';
import { createBackoff } from '../services/backoff.ts';
import { createBatcher } from '../services/batcher.ts';
import { type Delivery, type SaveOutcome } from '../store/store.ts';
import { aDelivery, silent, until } from './events.ts';

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
  return { store, backoff, batcher: createBatcher(store, backoff, options) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const add = (batcher: ReturnType<typeof createBatcher>, count: number) =>
  Array.from({ length: count }, () => batcher.add(aDelivery()));

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

test('a batch ends at 8 MiB, and a larger event is written alone', async () => {
  const { store, batcher } = setUp({ batchSizeMax: 100, writesInFlightMax: 1 });
  const MiB = 1024 * 1024;
  for (const size of [3, 4, 3, 17, 1, 8]) void batcher.add(aDelivery(), size * MiB);
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
  const [bad, good] = [batcher.add(aDelivery()), batcher.add(aDelivery())];
  await turn();
  store.writes[0]?.reject(new TypeError('bug'));
  store.writes[1]?.resolve();
  await expect(bad).rejects.toThrow('bug');
  expect(await good).toEqual({ status: 'stored' });
});
