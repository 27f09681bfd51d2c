import { createServer, type AddressInfo } from 'node:net';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { createReadiness } from '@event-tracker/shared/readiness';
import { openHealthServer } from '../services/health.ts';

const works = () => Promise.resolve();
const fails = () => Promise.reject(new Error('away'));

async function withServer(store: () => Promise<unknown>, body: (get: Get) => Promise<void>) {
  const server = await openHealthServer(0, createReadiness({ queue: works, store }, {}));
  const get: Get = async (path, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method,
      headers: { Connection: 'close' },
    });
    const text = await response.text();
    return [response.status, text ? (JSON.parse(text) as unknown) : undefined, response.headers.get('allow')];
  };
  try {
    await body(get);
  } finally {
    await server.close();
  }
}
type Get = (path: string, method?: string) => Promise<[number, unknown, string | null]>;

test('alive and ready', () =>
  withServer(works, async (get) => {
    expect(await get('/health')).toEqual([200, { status: 'ok' }, null]);
    const report = { status: 'ready', checks: { queue: 'up', store: 'up' } };
    expect(await get('/health/ready')).toEqual([200, report, null]);
    expect(await get('/health/ready?from=probe')).toEqual([200, report, null]);
    expect(await get('/health', 'HEAD')).toEqual([200, undefined, null]);
  }));

test('what is missing is named; alive it is all the same', () =>
  withServer(fails, async (get) => {
    const report = { status: 'unavailable', checks: { queue: 'up', store: 'down' } };
    expect(await get('/health/ready')).toEqual([503, report, null]);
    expect((await get('/health'))[0]).toBe(200);
  }));

test('nothing else is served', () =>
  withServer(works, async (get) => {
    expect((await get('/'))[0]).toBe(404);
    expect((await get('/health/other'))[0]).toBe(404);
    expect(await get('/health', 'POST')).toEqual([405, { status: 'method not allowed' }, 'GET, HEAD']);
  }));

test('a port that is taken is a fault of the configuration, named', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, resolve));
  const { port } = other.address() as AddressInfo;
  const open = openHealthServer(port, createReadiness({}, {}));
  await expect(open).rejects.toBeInstanceOf(ConfigurationError);
  await expect(open).rejects.toThrow(`CONSUMER_PORT: port ${port} is in use`);
  await new Promise((resolve) => other.close(resolve));
});
