import { StoreUnavailable } from '@event-tracker/shared/errors';
import { createBackoff } from '../services/backoff.ts';
import { until } from '../../tools/services/in-tests.ts';
import { silent } from './events.ts';

const away = () => Promise.reject(new StoreUnavailable('away'));

test('tries again until the store is back, and says so meanwhile', async () => {
  const backoff = createBackoff(10, silent);
  let calls = 0;
  const health: boolean[] = [];
  const result = await backoff.run(() => {
    health.push(backoff.healthy);
    calls += 1;
    return calls < 6 ? away() : Promise.resolve('done');
  });
  expect([result, calls, backoff.healthy]).toEqual(['done', 6, true]);
  expect(health).toEqual([false, false, false, false, false, false]);
});

test('a fault that is not the store’s is the caller’s at once', async () => {
  const backoff = createBackoff(10, silent);
  let calls = 0;
  const run = backoff.run(() => {
    calls += 1;
    return Promise.reject(new TypeError('bug'));
  });
  await expect(run).rejects.toThrow('bug');
  expect(calls).toBe(1);
});

test('stop ends waiting, however long the wait would be', async () => {
  const backoff = createBackoff(3_600_000, silent);
  let calls = 0;
  const run = backoff.run(() => {
    calls += 1;
    return away();
  });
  await until(() => calls >= 3);
  backoff.stop();
  await expect(run).rejects.toBeInstanceOf(StoreUnavailable);
});

test('stop gives up a call that hangs while the store is away, and tries nothing more', async () => {
  const backoff = createBackoff(10, silent);
  const hanging = backoff.run(() => new Promise<void>(() => undefined));
  backoff.stop();
  await expect(hanging).rejects.toBeInstanceOf(StoreUnavailable);
  const call = jest.fn(away);
  await expect(backoff.run(call)).rejects.toBeInstanceOf(StoreUnavailable);
  expect(call).not.toHaveBeenCalled();
});

test('with a store that is there, stop lets the call in flight end and the next ones be tried once', async () => {
  const backoff = createBackoff(10, silent);
  await backoff.run(() => Promise.resolve());
  let finish: (value: string) => void = () => undefined;
  const slow = backoff.run(() => new Promise<string>((resolve) => (finish = resolve)));
  backoff.stop();
  finish('finished');
  expect(await slow).toBe('finished');
  expect(await backoff.run(() => Promise.resolve('tried'))).toBe('tried');
  const call = jest.fn(away);
  await expect(backoff.run(call)).rejects.toBeInstanceOf(StoreUnavailable);
  expect(call).toHaveBeenCalledTimes(1);
});
