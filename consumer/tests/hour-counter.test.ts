import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailable } from '@event-tracker/shared/errors';
import { until } from '../../tools/services/in-tests.ts';
import { type HourCounter, PAGE_EVENTS, startHourCounter } from '../services/hour-counter.ts';
import { HOUR_MS, HOUR_NAMES_MAX, hourOf, Tally, TALLY_NAMES_MAX } from '../store/hour-counts.ts';
import { createMemoryStore } from '../store/memory.ts';
import { UserSketch } from '../store/user-sketch.ts';
import { aDelivery, silent } from './events.ts';

const hour = new Date('2024-01-01T10:00:00.000Z');
const hours = (from: number, to: number) =>
  [new Date(hour.getTime() + from * HOUR_MS), new Date(hour.getTime() + to * HOUR_MS)] as const;

let counter: HourCounter | undefined;
afterEach(async () => {
  jest.restoreAllMocks();
  await counter?.stop();
  counter = undefined;
});

type MemoryStore = ReturnType<typeof createMemoryStore>;

/** Resolves to the counts of the hour, once there are any with so many events. */
async function counted(store: MemoryStore, total: number, at = hour) {
  const read = async () => (await store.listHours(at, new Date(at.getTime() + 1)))[0]?.counts;
  await until(async () => (await read())?.total === total);
  return (await read())!;
}

function usersOf(encoded: string): number {
  const sketch = new UserSketch();
  sketch.merge(encoded);
  return sketch.estimate();
}

test('a marked hour is counted: its events by type and page, and its users; none of its neighbours', async () => {
  const store = createMemoryStore();
  const event = (minute: number, user: number, eventType: string, path?: string) =>
    aDelivery({
      timestamp: new Date(hour.getTime() + minute * 60_000).toISOString(),
      ...{ userId: `u${user}`, eventType, payload: { path } },
    });
  await store.save([
    event(0, 1, 'page_view', '/a'),
    event(10, 1, 'page_view', '/b'),
    event(20, 2, 'page_view', '/a'),
    event(59.99, 3, 'click'),
    event(-0.01, 4, 'page_view', '/a'),
    event(60, 5, 'page_view', '/a'),
  ]);
  await store.markHours([hour]);
  counter = startHourCounter(store, silent);
  const { users, ...counts } = await counted(store, 4);
  expect(counts).toEqual({
    total: 4,
    byType: [
      ['page_view', 3],
      ['click', 1],
    ],
    pages: [
      ['/a', 2],
      ['/b', 1],
    ],
  });
  expect(usersOf(users)).toBe(3);
});

test('an hour of several pages of a scan is counted whole', async () => {
  const store = createMemoryStore();
  const length = 2 * PAGE_EVENTS + 500;
  const deliveries = Array.from({ length }, (_, index) =>
    aDelivery({ timestamp: hour.toISOString(), userId: `u${index % 500}` }),
  );
  await store.save(deliveries);
  await store.markHours([hour]);
  counter = startHourCounter(store, silent);
  expect(usersOf((await counted(store, length)).users)).toBe(500);
});

test('hours with events that nobody has marked are found, those before and after a marked one', async () => {
  const store = createMemoryStore();
  const at = (offset: number) => new Date(hour.getTime() + offset * HOUR_MS);
  await store.save([-9000, -1, 0, 0, 7].map((offset) => aDelivery({ timestamp: at(offset).toISOString() })));
  await store.markHours([hour]);
  counter = startHourCounter(store, silent);
  for (const [offset, total] of [
    [-9000, 1],
    [-1, 1],
    [0, 2],
    [7, 1],
  ] as const)
    await counted(store, total, at(offset));
  expect(await store.listHours(...hours(-9000, 8))).toHaveLength(4);
});

test('events that are saved while their hour is counted are in the next count', async () => {
  const store = createMemoryStore();
  await store.save([aDelivery({ timestamp: hour.toISOString() })]);
  await store.markHours([hour]);
  const scan = store.scan.bind(store);
  jest.spyOn(store, 'scan').mockImplementationOnce(async (filter) => {
    const found = await scan(filter);
    await store.save([aDelivery({ timestamp: hour.toISOString() })]);
    await store.markHours([hour]);
    return found;
  });
  counter = startHourCounter(store, silent);
  await counted(store, 2);
});

test('a process that is busy leaves counting until it no longer is', async () => {
  const store = createMemoryStore();
  const idle = { idle: 1, active: 0, utilization: 0 };
  const looks = jest
    .spyOn(performance, 'eventLoopUtilization')
    .mockReturnValue({ ...idle, utilization: 0.9 });
  const claims = jest.spyOn(store, 'claimHour');
  counter = startHourCounter(store, silent);
  // Each look is two calls; the first rest ends with one.
  await until(() => looks.mock.calls.length >= 5);
  expect(claims).toHaveBeenCalledTimes(1);
  await store.save([aDelivery({ timestamp: hour.toISOString() })]);
  await store.markHours([hour]);
  looks.mockReturnValue(idle);
  await counted(store, 1);
});

test('a process that is busy rests after each page of an hour, ten times as long as it took', async () => {
  const store = createMemoryStore();
  const length = 2 * PAGE_EVENTS + 1;
  await store.save(Array.from({ length }, () => aDelivery({ timestamp: hour.toISOString() })));
  await store.markHours([hour]);
  jest.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 1, active: 9, utilization: 0.9 });
  const scan = store.scan.bind(store);
  const pages: { begun: number; ended: number }[] = [];
  jest.spyOn(store, 'scan').mockImplementation(async (filter) => {
    const begun = performance.now();
    await delay(5);
    const found = await scan(filter);
    pages.push({ begun, ended: performance.now() });
    return found;
  });
  counter = startHourCounter(store, silent);
  await counted(store, length);
  expect(pages).toHaveLength(3);
  for (const [index, { begun, ended }] of pages.slice(0, -1).entries())
    // A timer may end a millisecond early.
    expect(pages[index + 1]!.begun - ended).toBeGreaterThanOrEqual(10 * (ended - begun) - 1);
});

test('while the store is away nothing is counted and nothing ends; then it goes on', async () => {
  const store = createMemoryStore();
  await store.save([aDelivery({ timestamp: hour.toISOString() })]);
  await store.markHours([hour]);
  const claim = jest.spyOn(store, 'claimHour').mockRejectedValueOnce(new StoreUnavailable('away'));
  counter = startHourCounter(store, silent);
  await counted(store, 1);
  expect(claim.mock.calls.length).toBeGreaterThan(1);
});

test('it is stopped in the midst of a count, and keeps nothing of it', async () => {
  const store = createMemoryStore();
  await store.save(
    Array.from({ length: PAGE_EVENTS + 1 }, () => aDelivery({ timestamp: hour.toISOString() })),
  );
  await store.markHours([hour]);
  let stopped: Promise<void> | undefined;
  const scan = store.scan.bind(store);
  const scans = jest.spyOn(store, 'scan').mockImplementation((filter) => {
    stopped ??= counter!.stop();
    return scan(filter);
  });
  counter = startHourCounter(store, silent);
  await until(() => stopped !== undefined);
  await stopped;
  expect(scans).toHaveBeenCalledTimes(1);
  expect(await store.listHours(...hours(0, 1))).toMatchObject([{ counts: null, isDirty: true }]);
});

test.each([
  ['2024-01-01T10:59:59.999Z', '2024-01-01T10:00:00.000Z'],
  ['2024-01-01T10:00:00.000Z', '2024-01-01T10:00:00.000Z'],
  ['1969-12-31T23:59:59.999Z', '1969-12-31T23:00:00.000Z'],
])('%s is in the hour %s', (time, expected) => {
  expect(new Date(hourOf(Date.parse(time))).toISOString()).toBe(expected);
});

test('a tally keeps the most frequent names, names breaking ties', () => {
  const tally = new Tally();
  for (const name of ['b', 'a', 'c', 'c']) tally.add(name);
  expect(tally.top(2)).toEqual([
    ['c', 2],
    ['a', 1],
  ]);
});

test('a tally of endless names is bounded, and frequent ones stay exact', () => {
  const tally = new Tally();
  for (let index = 0; index < 5 * TALLY_NAMES_MAX; index += 1) {
    tally.add(`once-${index}`);
    tally.add(`often-${index % HOUR_NAMES_MAX}`);
  }
  expect(tally.top(Infinity).length).toBeLessThanOrEqual(TALLY_NAMES_MAX);
  const top = tally.top(HOUR_NAMES_MAX);
  expect(top).toHaveLength(HOUR_NAMES_MAX);
  expect(top.every(([name, count]) => name.startsWith('often-') && count === 500)).toBe(true);
});
