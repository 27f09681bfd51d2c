import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { type Environment } from '@event-tracker/shared/config';
import { openQueue } from '@event-tracker/shared/queue/open';
import { readApiConfig } from '../config.ts';
import { type RunningApi, startApi } from '../server.ts';
import { ACTIVITIES, activity, FakeQueue, post, recordingLogger, STREAM } from './support.ts';
import { readStream } from './stream-client.ts';

let queue: FakeQueue;
const steps: string[] = [];
const store = createMemoryStore();

jest.mock('@event-tracker/shared/queue/open', () => ({ openQueue: jest.fn(() => Promise.resolve(queue)) }));
jest.mock('@event-tracker/consumer/store/open', () => ({ openStore: jest.fn(() => Promise.resolve(store)) }));

const running: RunningApi[] = [];

async function start(settings: Environment = {}): Promise<RunningApi & { url: string }> {
  const config = readApiConfig({
    API_PORT: '0',
    RABBITMQ_URL: 'amqp://localhost',
    DATABASE_URL: 'mongodb://localhost',
    ...settings,
  });
  const api = await startApi(config, recordingLogger().logger);
  running.push(api);
  return { ...api, url: `http://127.0.0.1:${api.port}` };
}

beforeEach(() => {
  queue = new FakeQueue();
  steps.length = 0;
  jest.spyOn(queue, 'close').mockImplementation(() => Promise.resolve(void steps.push('queue closed')));
  jest.spyOn(store, 'close').mockImplementation(() => Promise.resolve(void steps.push('store closed')));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((api) => api.shutdown()));
});

describe('The API', () => {
  it('listens on a free port and takes events', async () => {
    const { url, port } = await start();
    expect(port).toBeGreaterThan(0);
    expect((await post(url)).status).toBe(202);
    expect(queue.events).toHaveLength(1);
  });

  it('hands its bounds on to the queue', async () => {
    await start({
      QUEUE_NAME: 'q',
      QUEUE_TYPE: 'quorum',
      PUBLISH_IN_FLIGHT_MAX: '7',
      PUBLISH_TIMEOUT_MS: '8',
    });
    expect(openQueue).toHaveBeenLastCalledWith(
      'amqp://localhost',
      { name: 'q', type: 'quorum', messageEventsMax: 500, inFlightMax: 7, publishTimeoutMs: 8 },
      expect.anything(),
    );
  });

  it('counts by itself when there is no REDIS_URL, and is ready', async () => {
    const { url } = await start({ RATE_LIMIT_MAX_REQUESTS: '2' });
    const statuses = [(await post(url)).status, (await post(url)).status, (await post(url)).status];
    expect(statuses).toEqual([202, 202, 429]);
    const ready = await fetch(`${url}/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', checks: { queue: 'up', store: 'up', rateLimit: 'up' } },
    ]);
  });

  it('starts and takes events although Redis is away, and says so', async () => {
    const { url } = await start({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect((await post(url)).status).toBe(202);
    expect(await (await fetch(`${url}/health/ready`)).json()).toMatchObject({
      checks: { rateLimit: 'degraded' },
    });
  });

  it('names API_PORT when the port is taken', async () => {
    const server = createServer().listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const error: unknown = await start({ API_PORT: String(port) }).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(new RegExp(`^API_PORT ${port} is taken.*$`));
    server.close();
  });
});

describe('Shutdown', () => {
  it('answers what is in flight before the queue is closed, and says it is not ready meanwhile', async () => {
    const api = await start();
    let confirm: () => void = () => undefined;
    queue.confirmation = new Promise((resolve) => (confirm = resolve));
    const { socket, received } = open(api.port);
    socket.write(http('POST', ACTIVITIES, JSON.stringify(activity())));
    await delay(100);

    const close = jest.spyOn(queue, 'close').mockImplementation(async () => {
      // What was sent before reaches the client within this time.
      await delay(100);
      steps.push(`queue closed after ${received().slice(0, 12)}`);
    });
    const code = api.shutdown();
    // Its answer comes after that to the event, which it shares a connection with.
    socket.write(http('GET', '/health/ready'));
    await delay(200);
    expect(close).not.toHaveBeenCalled();
    await expect(fetch(`${api.url}/health`)).rejects.toThrow();

    confirm();
    expect(await code).toBe(0);
    expect(steps).toEqual(['queue closed after HTTP/1.1 202', 'store closed']);
    expect(received()).toMatch(/HTTP\/1\.1 503 [^]*"status":"unavailable"/);
    expect(queue.events).toHaveLength(1);
  });

  it('ends streams at once, in order', async () => {
    const api = await start();
    const stream = await readStream(`${api.url}${STREAM}`);
    void stream.ended.then((inOrder) => steps.push(`stream ended ${inOrder ? 'in order' : 'broken off'}`));
    expect(await api.shutdown()).toBe(0);
    expect(steps).toEqual(['stream ended in order', 'queue closed', 'store closed']);
  });

  it('ends connections that only wait for a next request', async () => {
    const api = await start();
    const { socket, received, closed } = open(api.port);
    socket.write(http('GET', '/health'));
    while (!received()) await delay(10);
    expect(await api.shutdown()).toBe(0);
    await closed;
  });

  it('answers the next request of an open connection and says that it is the last', async () => {
    const api = await start();
    const { socket, received, closed } = open(api.port);
    socket.write(http('POST', ACTIVITIES, JSON.stringify(activity())));
    while (!received()) await delay(10);
    const code = api.shutdown();
    socket.write(http('POST', ACTIVITIES, JSON.stringify(activity())));
    await closed;
    expect(received().match(/^(?:HTTP\/1.1 \d+|Connection: \S+)|(?<=\})HTTP\/1.1 \d+/gm)).toEqual([
      'HTTP/1.1 202',
      'Connection: keep-alive',
      'HTTP/1.1 202',
      'Connection: close',
    ]);
    expect(await code).toBe(0);
    expect(queue.events).toHaveLength(2);
  });

  it('takes place once, however often it is asked for', async () => {
    const api = await start();
    expect(await Promise.all([api.shutdown(), api.shutdown()])).toEqual([0, 0]);
    expect(steps).toEqual(['queue closed', 'store closed']);
  });

  it('gives up after SHUTDOWN_TIMEOUT_MS, with a code that tells it', async () => {
    const api = await start({ SHUTDOWN_TIMEOUT_MS: '300' });
    queue.confirmation = new Promise(() => undefined);
    const { socket } = open(api.port);
    socket.write(http('POST', ACTIVITIES, JSON.stringify(activity())));
    await delay(100);
    expect(await api.shutdown()).toBe(1);
    socket.destroy();
  });

  it('is complete although closing the queue fails, with a code that tells it', async () => {
    const api = await start();
    jest.spyOn(queue, 'close').mockRejectedValue(new Error('broken'));
    expect(await api.shutdown()).toBe(1);
    expect(steps).toEqual(['store closed']);
  });
});

describe('A client that is too slow', () => {
  // The bounds are constants of 8 and 12 s, which no setting changes: this test really waits for them.
  it('is cut off while it sends its headers or its body, and costs others nothing', async () => {
    const api = await start();
    const headers = open(api.port);
    headers.socket.write(`POST ${ACTIVITIES} HTTP/1.1\r\nHost: x\r\nX-Slow:`);
    const body = open(api.port);
    body.socket.write(`POST ${ACTIVITIES} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{`);
    const trickle = setInterval(() => {
      for (const { socket } of [headers, body]) if (!socket.destroyed) socket.write(' ');
    }, 500);

    expect((await post(api.url)).status).toBe(202);
    await Promise.all([headers.closed, body.closed]);
    clearInterval(trickle);
    for (const { received } of [headers, body]) expect(received()).toMatch(/^(?:HTTP\/1\.1 408 [^]*)?$/);
    expect(queue.events).toHaveLength(1);
  });
});

function open(port: number): { socket: Socket; received: () => string; closed: Promise<void> } {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (bytes) => (text += String(bytes)));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => void socket.on('close', () => resolve()));
  return { socket, received: () => text, closed };
}

function http(method: string, path: string, body = ''): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
