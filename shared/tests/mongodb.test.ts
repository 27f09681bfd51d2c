import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { BSON, MongoClient } from 'mongodb';
import { startMongod } from '../../tools/mongod/start.ts';
import { stopMonitors } from '../../tools/mongod/stop-monitors.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { openMongodbQueue } from '../queue/mongodb.ts';
import { type Message, type Queue, type Verdict } from '../queue/queue.ts';
import { eventIds, logger, makeEvent, publishAgain, queueOptions, range } from './queue-fixture.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const consuming = { prefetch: 100, retryDelayMs: 100 };

describeWith('mongodb', 'mongodb queue', () => {
  let database: string;
  let proxy: TcpProxy;
  let client: MongoClient;
  let opened: Queue[];

  async function open(url: string, leaseMs?: number): Promise<Queue> {
    const queue = await openMongodbQueue(`${url}/${database}`, queueOptions, logger, leaseMs);
    opened.push(queue);
    return queue;
  }

  /** Consumes with handlers that wait until the test decides. */
  async function hold(queue: Queue) {
    const messages: Message[] = [];
    let decide: (verdict: Verdict) => void = () => undefined;
    const verdict = new Promise<Verdict>((resolve) => (decide = resolve));
    const consumer = await queue.consume((message) => {
      messages.push(message);
      return verdict;
    }, consuming);
    return { messages, consumer, decide };
  }

  const stored = () => client.db(database).collection(queueOptions.name).countDocuments();

  beforeEach(async () => {
    opened = [];
    database = uniqueName('queue');
    proxy = await startTcpProxy(serviceUrl('mongodb'));
    client = await MongoClient.connect(serviceUrl('mongodb'));
  });
  afterEach(async () => {
    await Promise.all(opened.map((queue) => queue.close()));
    await client.db(database).dropDatabase();
    await client.close();
    await proxy.close();
  });

  test('a message that is held for longer than its lease is delivered to nobody else', async () => {
    const [queue, other] = [await open(proxy.url, 1_500), await open(serviceUrl('mongodb'), 1_500)];
    await queue.publish([makeEvent(1)]);
    const first = await hold(queue);
    await until(() => first.messages.length > 0);
    const second = await hold(other);
    await delay(4_000);
    first.decide('ack');
    await first.consumer.stop();
    await second.consumer.stop();
    expect(first.messages).toHaveLength(1);
    expect(second.messages).toHaveLength(0);
    expect(await stored()).toBe(0);
  });

  test('an outage longer than the lease delivers nothing twice to the consumer that holds it', async () => {
    const queue = await open(proxy.url, 500);
    await Promise.all(range(5).map((id) => queue.publish([makeEvent(id)])));
    const { messages, consumer, decide } = await hold(queue);
    await until(() => messages.length >= 5);
    await proxy.cut();
    await delay(1_000);
    await proxy.restore();
    await publishAgain(queue, makeEvent('after'));
    await until(() => messages.length >= 6);
    decide('ack');
    await consumer.stop();
    expect(messages.flatMap(eventIds)).toEqual(['0', '1', '2', '3', '4', 'after']);
    expect(await stored()).toBe(0);
  });

  test('a message that another consumer took over is not deleted by the verdict of the first', async () => {
    const [queue, other] = [await open(proxy.url, 500), await open(serviceUrl('mongodb'))];
    await queue.publish([makeEvent(1)]);
    const first = await hold(queue);
    await until(() => first.messages.length > 0);
    await proxy.cut();
    const second = await hold(other);
    await until(() => second.messages.length > 0);
    await proxy.restore();
    first.decide('ack');
    await first.consumer.stop();
    expect(second.messages).toMatchObject([{ attempts: 2, redelivered: true }]);
    expect(await stored()).toBe(1);
    second.decide('ack');
    await second.consumer.stop();
    expect(await stored()).toBe(0);
  });

  test('the index that finds what is ready is there, also when the database was away at first', async () => {
    const keys = async () => {
      const collections = await client.db(database).listCollections({ name: queueOptions.name }).toArray();
      if (collections.length === 0) return [];
      const indexes = await client.db(database).collection(queueOptions.name).indexes();
      return indexes.map(({ key }) => Object.keys(key as object).join());
    };
    await proxy.cut();
    await open(proxy.url);
    expect(await keys()).toEqual([]);
    await proxy.restore();
    await until(async () => (await keys()).includes('visibleAt,_id'));
  });

  test('a server that is killed loses nothing it had confirmed', async () => {
    const server = await startMongod();
    try {
      const queue = await open(server.url);
      const confirmed: string[] = [];
      let publishing = true;
      const publishers = range(10).map(async (publisher) => {
        for (let count = 0; publishing; count++) {
          const id = `${publisher}-${count}`;
          await queue.publish([makeEvent(id)]).then(
            () => confirmed.push(id),
            () => undefined,
          );
        }
      });
      await until(() => confirmed.length >= 500);
      await server.kill();
      publishing = false;
      await Promise.all(publishers);
      await server.restart();
      const received = new Set<string>();
      const consumer = await queue.consume((message) => {
        for (const id of eventIds(message)) received.add(id);
        return Promise.resolve('ack');
      }, consuming);
      await until(() => confirmed.every((id) => received.has(id)));
      await consumer.stop();
    } finally {
      await server.stop();
    }
  });

  test('a server that the driver has stopped looking for is found all the same', async () => {
    const connect = jest.spyOn(MongoClient.prototype, 'connect');
    const server = await startMongod();
    try {
      const queue = await open(server.url);
      stopMonitors(connect.mock.contexts[0]);
      server.pause();
      const publishing = expect(queue.publish([makeEvent(1)])).rejects.toBeInstanceOf(QueueUnavailable);
      // Broken off under way, the driver looks for the server before it sends anything else.
      await server.kill();
      await publishing;
      await server.restart();
      await publishAgain(queue, makeEvent(2));
      const { messages, consumer, decide } = await hold(queue);
      await until(() => messages.length > 0);
      decide('ack');
      await consumer.stop();
    } finally {
      connect.mockRestore();
      await server.stop();
    }
  });
});

describe('mongodb queue: what no second attempt can help', () => {
  test.each([
    ['special characters in the password', 'mongodb://user:s3cr@t@localhost/queue'],
    ['an unknown option', 'mongodb://user:s3cret@localhost/queue?unknown=s3cret'],
    ['no host', 'mongodb://user:s3cret@/queue'],
  ])('%s: a configuration error without the secret in it', async (_, url) => {
    const error: unknown = await openMongodbQueue(url, queueOptions, logger).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(/^QUEUE_URL: /);
    expect((error as Error).message).not.toMatch(/s3cr|\n/);
  });

  test('a wrong password: a configuration error without the secret in it', async () => {
    const server = await startRefusingServer();
    const error: unknown = await openMongodbQueue(
      `mongodb://user:s3cret@127.0.0.1:${server.port}/queue?authMechanism=PLAIN`,
      queueOptions,
      logger,
    ).catch((reason: unknown) => reason);
    server.close();
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(/^QUEUE_URL: /);
    expect((error as Error).message).not.toMatch(/s3cr|\n/);
  });
});

/** The engine of the tests knows no users; this speaks as much of MongoDB's protocol as it takes to refuse one. */
async function startRefusingServer(): Promise<{ port: number; close: () => void }> {
  const hello = { ok: 1, helloOk: true, isWritablePrimary: true, minWireVersion: 0, maxWireVersion: 21 };
  const refusal = { ok: 0, code: 18, codeName: 'AuthenticationFailed', errmsg: 'Authentication failed.' };
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      const isQuery = request.readInt32LE(12) === 2004;
      const isHello = /hello|ismaster/i.test(request.toString('latin1')) && !request.includes('saslStart');
      const document = BSON.serialize(isHello ? hello : refusal);
      // OP_REPLY answers the OP_QUERY of the first handshake, OP_MSG everything else.
      const body = isQuery ? Buffer.alloc(20) : Buffer.alloc(5);
      if (isQuery) body.writeInt32LE(1, 16);
      const header = Buffer.alloc(16);
      header.writeInt32LE(16 + body.length + document.length, 0);
      header.writeInt32LE(request.readInt32LE(4), 8);
      header.writeInt32LE(isQuery ? 1 : 2013, 12);
      socket.write(Buffer.concat([header, body, document]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
