import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';
import { type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import request from 'supertest';
import { openStore } from '@event-tracker/consumer/store/open';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { describeWith, serviceUrl, uniqueName } from '../../tools/services/in-tests.ts';
import { startRedis } from '../../tools/services/redis.ts';
import { ACTIVITIES, activity, endProcesses, expectProblem, post, startApiProcess } from './support.ts';

/** Nobody listens there; the API takes events all the same. */
const DATABASE_URL = 'mongodb://127.0.0.1:1/activity_db';

afterEach(endProcesses);

describe('The program', () => {
  const away = { RABBITMQ_URL: 'amqp://127.0.0.1:1', DATABASE_URL, STORE_TIMEOUT_MS: '500' };

  it('ends with code 1 and a line for every variable that is wrong', async () => {
    await expect(startApiProcess({ API_PORT: 'x', REDIS_URL: 'secret', ...away })).rejects.toThrow(
      /^1: API_PORT [^\n]+\nREDIS_URL [^\n]+\n$/,
    );
  });

  it('ends with code 1 and one clear line when its port is taken', async () => {
    const server = createServer().listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(startApiProcess({ API_PORT: String(port), ...away })).rejects.toThrow(
      new RegExp(`^1: API_PORT ${port} is taken[^\\n]+\\n$`),
    );
    server.close();
  });

  it('starts while broker and database are away, and answers 503 until they come', async () => {
    const api = await startApiProcess(away);
    const response = await post(api.url);
    expect([response.status, response.get('Retry-After')]).toEqual([503, '1']);
    expect((await fetch(`${api.url}/health`)).status).toBe(200);
    expect((await fetch(`${api.url}/health/ready`)).status).toBe(503);
    expectProblem(await request(api.url).get(ACTIVITIES), 'store-unavailable');
    api.signal('SIGTERM');
    expect(await api.ended).toBe(0);
  });
});

it('keeps requests and responses as objects with places for their properties, not as dictionaries', async () => {
  const program = path.join(__dirname, 'fast-properties.ts');
  const args = ['--import', 'tsx', '--conditions=source', program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const all = Array<boolean>(50).fill(true);
  expect(JSON.parse(stdout)).toEqual({ requests: all, responses: all });
});

describeWith('mongodb', 'A process of the API', () => {
  it('reads from MongoDB what the worker has stored there', async () => {
    const url = `${serviceUrl('mongodb')}/${uniqueName('reads')}`;
    const store = await openStore(url, { worker: 'worker-1', timeoutMs: 10_000 });
    await store.prepare();
    const event = {
      ...(activity() as unknown as ActivityEvent),
      eventId: 'order-1',
      source: 'activities',
      receivedAt: '2023-10-27T10:00:01.000Z',
      requestId: null,
      ip: null,
      userAgent: null,
    };
    await store.save([{ event, attempts: 1, redelivered: false }]);
    await store.close();

    const api = await startApiProcess({ RABBITMQ_URL: 'amqp://127.0.0.1:1', DATABASE_URL: url });
    const stored = {
      ...activity(),
      eventId: 'order-1',
      timestamp: '2023-10-27T10:00:00.000Z',
      source: 'activities',
      processing: expect.objectContaining({ worker: 'worker-1', attempts: 1 }) as unknown,
    };
    expect((await request(api.url).get(ACTIVITIES)).body).toEqual({ activities: [stored], nextCursor: null });
    expect((await request(api.url).get(`${ACTIVITIES}/order-1`)).body).toEqual(stored);
    expectProblem(await request(api.url).get(`${ACTIVITIES}/order-2`), 'not-found');
  });
});

describeWith(['redis', 'rabbitmq'], 'Four processes of the API', () => {
  it('take exactly 50 of 60 requests together', async () => {
    const redis = await startRedis();
    const QUEUE_NAME = uniqueName('four');
    const environment = {
      RABBITMQ_URL: serviceUrl('rabbitmq'),
      QUEUE_NAME,
      DATABASE_URL,
      REDIS_URL: redis.url,
    };
    const four = await Promise.all(Array.from({ length: 4 }, () => startApiProcess(environment)));
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => post(four[index % 4]?.url ?? '')),
    );
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(202), count(429)]).toEqual([50, 10]);
    expect(await eventsOn(QUEUE_NAME)).toBe(50);

    for (const api of four) api.signal('SIGTERM');
    expect(await Promise.all(four.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
    await redis.stop();
  });
});

describeWith('rabbitmq', 'SIGTERM under load', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends the program with 0, and every 202 is in the queue',
    async (signal) => {
      const QUEUE_NAME = uniqueName('load');
      const api = await startApiProcess({
        RABBITMQ_URL: serviceUrl('rabbitmq'),
        QUEUE_NAME,
        DATABASE_URL,
        RATE_LIMIT_MODE: 'off',
      });
      const agent = new Agent({ keepAlive: true });
      const outcomes = new Map<string, number>();
      const clients = Array.from({ length: 16 }, async () => {
        for (let outcome = ''; outcome !== 'ECONNREFUSED';) {
          outcome = await sendOne(api.url, agent);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
      });
      while ((outcomes.get('202') ?? 0) <= 50) await delay(20);
      api.signal(signal);
      expect(await api.ended).toBe(0);
      await Promise.all(clients);
      agent.destroy();

      const accepted = outcomes.get('202') ?? 0;
      expect(
        [...outcomes.keys()].filter((outcome) => !['202', 'ECONNREFUSED', 'ECONNRESET'].includes(outcome)),
      ).toEqual([]);
      expect(await eventsOn(QUEUE_NAME)).toBeGreaterThanOrEqual(accepted);
    },
  );
});

/** The status of the answer, or the code of the error. */
function sendOne(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    httpRequest(url + ACTIVITIES, { method: 'POST', agent }, (response) => {
      response.resume().on('close', () => resolve(String(response.statusCode)));
    })
      .on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'unknown'))
      .end(JSON.stringify(activity()));
  });
}

/** Takes everything off the queue, and counts the events: those of requests that came in together share a message. */
async function eventsOn(name: string): Promise<number> {
  const connection = await connect(serviceUrl('rabbitmq'));
  const channel = await connection.createChannel();
  let events = 0;
  for (;;) {
    const message = await channel.get(name, { noAck: true });
    if (!message) break;
    events += [JSON.parse(message.content.toString()) as unknown].flat().length;
  }
  await connection.close();
  return events;
}
