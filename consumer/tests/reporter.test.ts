import { noCounts } from '@event-tracker/shared/process-report';
import { startReporter } from '@event-tracker/shared/reporter';
import { createMemoryStore } from '../store/memory.ts';
import { silent } from './events.ts';

const HOUR_MS = 3_600_000;

function setUp() {
  const counts = noCounts();
  const store = createMemoryStore();
  const measure = () => ({ counts, inFlight: 0, depth: 0, limiterDegraded: false });
  const reporter = startReporter({ service: 'worker', latencies: {}, measure }, store, silent);
  const sum = async () => {
    const { processes, folded } = await store.listProcesses();
    return processes.reduce((total, report) => total + report.counts.stored, folded.stored);
  };
  const last = async () => (await store.listProcesses()).processes.at(-1);
  return { counts, store, reporter, sum, last };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('reports once a second, and at the end', async () => {
  const { counts, reporter, sum, last } = setUp();
  counts.stored = 3;
  await jest.advanceTimersByTimeAsync(1100);
  expect(await sum()).toBe(3);
  counts.stored = 13;
  await jest.advanceTimersByTimeAsync(10_000);
  expect(await last()).toMatchObject({ counts: { stored: 13 }, ended: false, rates: { stored: 1 } });
  counts.stored = 14;
  await reporter.stop();
  expect(await last()).toMatchObject({ counts: { stored: 14 }, ended: true });
  await jest.advanceTimersByTimeAsync(5000);
  expect(await sum()).toBe(14);
});

test('tells for how long nothing was counted', async () => {
  const { counts, reporter, last } = setUp();
  await jest.advanceTimersByTimeAsync(7100);
  expect((await last())?.quietMs).toBe(7000);
  counts.accepted += 1;
  await jest.advanceTimersByTimeAsync(1000);
  expect((await last())?.quietMs).toBe(0);
  await reporter.stop();
});

test('what could not be kept while the store was away is kept when it is back', async () => {
  const { counts, store, reporter, sum } = setUp();
  store.away = true;
  counts.stored = 5;
  await jest.advanceTimersByTimeAsync(60_000);
  store.away = false;
  await jest.advanceTimersByTimeAsync(1000);
  expect(await sum()).toBe(5);
  store.away = true;
  await reporter.stop();
  store.away = false;
  expect(await sum()).toBe(5);
});

test('a store that hangs holds up a shutdown for a second at most', async () => {
  const { store, reporter } = setUp();
  await jest.advanceTimersByTimeAsync(100);
  jest.spyOn(store, 'reportProcess').mockReturnValue(new Promise(() => undefined));
  await jest.advanceTimersByTimeAsync(2000);
  const stopped = reporter.stop();
  await jest.advanceTimersByTimeAsync(1000);
  await stopped;
});

test('a process that was taken for ended, as after a sleep, goes on counting where it was', async () => {
  const { counts, store, reporter, sum } = setUp();
  counts.stored = 10;
  await jest.advanceTimersByTimeAsync(1100);
  await store.foldProcesses(new Date(Date.now() + HOUR_MS));
  expect((await store.listProcesses()).processes).toEqual([]);
  counts.stored = 15;
  await jest.advanceTimersByTimeAsync(2000);
  expect((await store.listProcesses()).processes).toMatchObject([{ counts: { stored: 5 } }]);
  expect(await sum()).toBe(15);
  await store.foldProcesses(new Date(Date.now() + HOUR_MS));
  counts.stored = 17;
  await reporter.stop();
  expect(await sum()).toBe(17);
});

test('folds the processes that have ended, and those that were silent for an hour', async () => {
  const { store, reporter } = setUp();
  const fold = jest.spyOn(store, 'foldProcesses');
  await jest.advanceTimersByTimeAsync(200_000);
  expect(fold).toHaveBeenCalledTimes(3);
  const [silentSince] = fold.mock.lastCall ?? [];
  expect(Date.now() - (silentSince?.getTime() ?? 0)).toBeGreaterThanOrEqual(HOUR_MS);
  await reporter.stop();
});
