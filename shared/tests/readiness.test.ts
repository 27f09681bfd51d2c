import { createReadiness } from '../readiness.ts';

const works = () => Promise.resolve();
const fails = () => Promise.reject(new Error('away'));

test('ready while every required part is up; an optional one that is missing is named', async () => {
  const readiness = createReadiness({ queue: works }, { store: fails, rateLimit: works });
  const checks = { queue: 'up', store: 'degraded', rateLimit: 'up' };
  expect(await readiness.report()).toEqual({ status: 'ready', checks });
});

test('not ready while a required part is missing', async () => {
  const readiness = createReadiness({ queue: fails, store: works }, {});
  expect(await readiness.report()).toEqual({
    status: 'unavailable',
    checks: { queue: 'down', store: 'up' },
  });
});

test('a part that hangs counts as missing', async () => {
  const readiness = createReadiness({ queue: () => new Promise(() => undefined), store: works }, {});
  expect(await readiness.report()).toMatchObject({ checks: { queue: 'down', store: 'up' } });
});

test('a storm of questions asks the parts once', async () => {
  const ping = jest.fn(works);
  const readiness = createReadiness({ store: ping }, {});
  await Promise.all(Array.from({ length: 50 }, () => readiness.report()));
  expect(ping).toHaveBeenCalledTimes(1);
});

test('stopped it is not ready at once, whatever was found before', async () => {
  const readiness = createReadiness({ queue: works }, {});
  expect((await readiness.report()).status).toBe('ready');
  readiness.stop();
  expect(await readiness.report()).toEqual({ status: 'unavailable', checks: { queue: 'up' } });
});
