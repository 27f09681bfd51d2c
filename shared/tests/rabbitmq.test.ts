import { setTimeout as delay } from 'node:timers/promises';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { startRabbitmq, type Rabbitmq } from '../../tools/services/rabbitmq.ts';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { type Consumer, type Message, type Queue, type QueueOptions, type Verdict } from '../queue/queue.ts';
import { openRabbitmqQueue } from '../queue/rabbitmq.ts';
import { eventIds, logger, makeEvent, publishAgain, queueOptions, range } from './queue-fixture.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

// Brokers are started and rabbitmqctl runs, which takes seconds, and many more on a machine that is busy.
jest.setTimeout(180_000);

const consuming = { prefetch: 100, retryDelayMs: 100 };

/** Another program's connection, made with amqplib alone. */
async function openForeign(url: string): Promise<{ connection: ChannelModel; channel: Channel }> {
  const connection = await connect(url);
  connection.on('error', () => undefined);
  return { connection, channel: await connection.createChannel() };
}

/** Takes what is in the queue, and what comes into it, and acks it. */
async function takeAll(queue: Queue): Promise<{ messages: Message[]; consumer: Consumer }> {
  const messages: Message[] = [];
  const consumer = await queue.consume((message) => {
    messages.push(message);
    return Promise.resolve('ack');
  }, consuming);
  return { messages, consumer };
}

describeWith('rabbitmq', 'rabbitmq queue beside other programs', () => {
  let name: string;
  let proxy: TcpProxy;
  let foreign: Awaited<ReturnType<typeof openForeign>>;
  let opened: Queue[];

  async function open(options: Partial<QueueOptions> = {}): Promise<Queue> {
    const queue = await openRabbitmqQueue(proxy.url, { ...queueOptions, name, ...options }, logger);
    opened.push(queue);
    return queue;
  }

  beforeEach(async () => {
    opened = [];
    name = uniqueName('rabbitmq');
    proxy = await startTcpProxy(serviceUrl('rabbitmq'));
    foreign = await openForeign(serviceUrl('rabbitmq'));
  });
  afterEach(async () => {
    await Promise.all(opened.map((queue) => queue.close()));
    await foreign.channel.deleteQueue(name);
    await foreign.connection.close();
    await proxy.close();
  });

  test('declares the queue as a program does that asks for nothing but a durable one', async () => {
    await open();
    await foreign.channel.assertQueue(name, { durable: true });
    await foreign.channel.deleteQueue(name);
    await foreign.channel.assertQueue(name, { durable: true });
    await open();
  });

  describe('messages in hand', () => {
    let inHand: { body: Buffer; decide: (verdict: Verdict) => void }[];
    let most: number;

    /** A consumer that decides over nothing until it is told to. */
    async function hold(prefetch: number) {
      inHand = [];
      most = 0;
      const queue = await open();
      const handle = ({ body }: Message) =>
        new Promise<Verdict>((decide) => (most = Math.max(most, inHand.push({ body, decide }))));
      return queue.consume(handle, { ...consuming, prefetch });
    }
    async function fill(messages: number, bytes: number): Promise<void> {
      await foreign.channel.assertQueue(name, { durable: true });
      for (const index of range(messages)) {
        const body = Buffer.alloc(bytes, ' ');
        body.write(String(index));
        foreign.channel.sendToQueue(name, body);
      }
    }
    const decide = (messages: number) => inHand.splice(0, messages).forEach((one) => one.decide('ack'));
    const numbers = (some: typeof inHand) => some.map(({ body }) => Number.parseInt(body.toString(), 10));

    test('there are as many small ones as are allowed, and never more', async () => {
      await fill(700, 100);
      await until(async () => (await foreign.channel.checkQueue(name)).messageCount === 700);
      const consumer = await hold(500);
      await until(() => inHand.length === 500);
      await delay(300);
      expect(most).toBe(500);
      const received: number[] = [];
      while (received.length < 700) {
        received.push(...numbers(inHand.slice(0, 10)));
        decide(10);
        await until(() => inHand.length > 0 || received.length === 700);
      }
      expect(received).toEqual(range(700));
      expect(most).toBe(500);
      await consumer.stop();
    });

    test('while it gets fewer of them, there are never more than are allowed', async () => {
      await fill(50, 150_000);
      const consumer = await hold(32);
      await until(() => inHand.length === 32);
      for (let decided = 0; decided < 50; decided += 1) {
        await until(() => inHand.length > 0);
        decide(1);
        if (decided % 10 === 0) await delay(100);
      }
      expect(most).toBe(32);
      await consumer.stop();
    });

    test('there are few large ones, and as many as are allowed when they get small again', async () => {
      await fill(60, 150_000);
      await until(async () => (await foreign.channel.checkQueue(name)).messageCount === 60);
      const consumer = await hold(500);
      await until(() => inHand.length >= 32);
      const received: number[] = [];
      // The consumer is replaced behind the first ones; the next has five of them in hand, those are 768 KiB.
      while (received.length < 60) {
        received.push(...numbers(inHand.slice(0, 1)));
        decide(1);
        if (received.length === 40) {
          await delay(1500);
          most = inHand.length;
        }
        await until(() => inHand.length > 0 || received.length === 60);
      }
      expect(received).toEqual(range(60));
      expect(most).toBeLessThanOrEqual(6);
      await fill(1200, 100);
      await until(() => {
        decide(inHand.length < 400 ? 1 : 0);
        return inHand.length >= 400;
      });
      const stopped = consumer.stop();
      decide(500);
      await stopped;
      expect((await foreign.channel.checkQueue(name)).messageCount).toBeGreaterThan(0);
    });
  });

  // Of messages of 2 kB the first are acknowledged, and more is on its way in their place, when the consumer is replaced.
  // Not by way of the proxy, which reads in other portions.
  test('a consumer that is replaced gets nothing twice, and all in its order', async () => {
    const queue = await openRabbitmqQueue(
      serviceUrl('rabbitmq'),
      { ...queueOptions, name, type: 'quorum' },
      logger,
    );
    opened.push(queue);
    const sent = range(100).map(String);
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(sent.map((id) => queue.publish([makeEvent(id, { text: 'x'.repeat(2000) })])));
      const received: Message[] = [];
      const handle = (message: Message) => {
        received.push(message);
        return Promise.resolve<Verdict>('ack');
      };
      const consumer = await queue.consume(handle, consuming);
      await until(() => received.length >= sent.length);
      await consumer.stop();
      expect(received.flatMap(eventIds)).toEqual(sent);
      expect(Math.max(...received.map(({ attempts }) => attempts))).toBe(1);
    }
  });

  test('publishes persistent JSON messages with an id', async () => {
    const queue = await open();
    await queue.publish([makeEvent(1)]);
    const message = await foreign.channel.get(name, { noAck: true });
    expect(message).toMatchObject({
      properties: {
        deliveryMode: 2,
        contentType: 'application/json',
        messageId: expect.any(String) as unknown,
      },
    });
  });

  test('delivers what anyone has published as it is', async () => {
    const queue = await open();
    const bodies = [Buffer.from('not JSON'), Buffer.alloc(0), Buffer.from([0xff, 0xfe, 0x00])];
    for (const body of bodies) foreign.channel.sendToQueue(name, body);
    const { messages, consumer } = await takeAll(queue);
    await until(() => messages.length >= bodies.length);
    await consumer.stop();
    expect(messages.map(({ body }) => body)).toEqual(bodies);
  });

  test('a publish to a queue that was deleted rejects; then the queue is there again', async () => {
    const queue = await open();
    await foreign.channel.deleteQueue(name);
    await expect(queue.publish([makeEvent(1)])).rejects.toThrow(QueueUnavailable);
    await publishAgain(queue, makeEvent(2));
    const message = await foreign.channel.get(name, { noAck: true });
    expect(message && eventIds({ body: message.content })).toEqual(['2']);
    await foreign.channel.assertQueue(name, { durable: true });
  });

  test('what was confirmed last is published again after the queue was deleted', async () => {
    const queue = await open();
    for (const id of ['1', '2']) await queue.publish([makeEvent(id)]);
    await foreign.channel.deleteQueue(name);
    await expect(queue.publish([makeEvent(3)])).rejects.toThrow(QueueUnavailable);
    const { messages, consumer } = await takeAll(queue);
    await until(() => messages.length >= 2);
    await publishAgain(queue, makeEvent(4));
    await until(() => messages.length >= 3);
    await consumer.stop();
    expect(messages.map((message) => [eventIds(message)[0], message.redelivered])).toEqual([
      ['1', true],
      ['2', true],
      ['4', false],
    ]);
  });

  test('what was confirmed last is published again where the queue was deleted while the connection was lost', async () => {
    const queue = await open();
    await queue.publish([makeEvent(1)]);
    await proxy.cut();
    await foreign.channel.deleteQueue(name);
    await proxy.restore();
    await publishAgain(queue, makeEvent(2));
    const { messages, consumer } = await takeAll(queue);
    await until(() => messages.length >= 2);
    await consumer.stop();
    expect(messages.map((message) => [eventIds(message)[0], message.redelivered])).toEqual([
      ['1', true],
      ['2', false],
    ]);
  });

  test('asking for the depth of a deleted queue rejects, and has it declared again', async () => {
    const queue = await open();
    await foreign.channel.deleteQueue(name);
    await expect(queue.depth()).rejects.toThrow(QueueUnavailable);
    await publishAgain(queue, makeEvent(1));
    expect(await queue.depth()).toBe(1);
  });

  test('a consumer that was cancelled because the queue was deleted consumes again', async () => {
    const queue = await open();
    const ids: string[] = [];
    const consumer = await queue.consume((message) => {
      ids.push(...eventIds(message));
      return Promise.resolve('ack');
    }, consuming);
    for (const id of ['1', '2', '3']) {
      await publishAgain(queue, makeEvent(id));
      await until(() => ids.includes(id));
      await foreign.channel.deleteQueue(name);
    }
    await consumer.stop();
  });

  test('verdicts over deliveries of a lost connection are dropped', async () => {
    const queue = await open();
    await Promise.all(range(3).map((id) => queue.publish([makeEvent(id)])));
    const decide: ((verdict: Verdict) => void)[] = [];
    const messages: Message[] = [];
    const consumer = await queue.consume((message) => {
      messages.push(message);
      if (message.redelivered) return Promise.resolve('ack');
      return new Promise((resolve) => decide.push(resolve));
    }, consuming);
    await until(() => messages.length >= 3);
    await proxy.cut();
    decide[0]?.('ack');
    await proxy.restore();
    await until(() => messages.length >= 6);
    decide[1]?.('ack');
    decide[2]?.('retry');
    await delay(2 * consuming.retryDelayMs);
    await consumer.stop();
    expect(messages).toHaveLength(6);
    expect(await queue.depth()).toBe(0);
  });

  test('a message that waits for its retry goes back at once when its consumer stops', async () => {
    const queue = await open();
    await queue.publish([makeEvent(1)]);
    let decided = false;
    const first = await queue.consume(
      () => {
        decided = true;
        return Promise.resolve('retry');
      },
      { ...consuming, retryDelayMs: 600_000 },
    );
    await until(() => decided);
    await first.stop();
    expect(await queue.depth()).toBe(1);
  });

  test.each([
    ['a queue of another type', { durable: true, arguments: { 'x-queue-type': 'quorum' } }],
    ['a queue that does not survive a restart', { durable: false }],
  ])('%s is a configuration error that says what to do', async (_, declaration) => {
    await foreign.channel.assertQueue(name, declaration);
    const error: unknown = await open().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(/^QUEUE_TYPE: /);
    expect((error as Error).message).toContain(name);
    expect((error as Error).message).not.toContain('\n');
  });

  test('a queue that gets other properties meanwhile is tried again until it fits', async () => {
    const queue = await open();
    await proxy.cut();
    await foreign.channel.deleteQueue(name);
    await foreign.channel.assertQueue(name, { durable: true, maxLength: 7 });
    await proxy.restore();
    await delay(1_000);
    await expect(queue.publish([makeEvent(1)])).rejects.toThrow(QueueUnavailable);
    await foreign.channel.deleteQueue(name);
    await publishAgain(queue, makeEvent(2));
  });

  test.each([
    ['a wrong password', (url: string) => url.replace('guest:guest', 'guest:s3cr%40t')],
    ['an unknown user', (url: string) => url.replace('guest:guest', 'nobody:s3cr%40t')],
    ['a missing virtual host', (url: string) => `${url}/missing`],
    ['a URL that is none', (url: string) => url.replace('guest:guest', 'guest:s3cr#t')],
  ])('%s is a configuration error without the secret in it', async (_, change) => {
    const error: unknown = await openRabbitmqQueue(
      change(proxy.url),
      { ...queueOptions, name },
      logger,
    ).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(/^QUEUE_URL or RABBITMQ_URL: /);
    expect((error as Error).message).not.toMatch(/s3cr|\n/);
  });

  test('a host that has no name yet is tried again', async () => {
    const url = 'amqp://guest:guest@host.invalid';
    const queue = await openRabbitmqQueue(url, { ...queueOptions, name }, logger);
    await expect(queue.ping()).rejects.toThrow(QueueUnavailable);
    await queue.close();
  });
});

describeWith('rabbitmq', 'rabbitmq queue and a broker in trouble', () => {
  let broker: Rabbitmq;
  let queue: Queue;
  let name: string;

  async function open(url = broker.url, options: Partial<QueueOptions> = {}): Promise<void> {
    queue = await openRabbitmqQueue(url, { ...queueOptions, name, ...options }, logger);
  }

  beforeAll(async () => {
    broker = await startRabbitmq();
  });
  afterAll(() => broker.stop());
  beforeEach(() => {
    name = uniqueName('trouble');
  });
  afterEach(() => queue.close());

  test('a message that is dead goes to the dead-letter exchange of the operator', async () => {
    await broker.ctl('set_policy', 'dead', '.*', '{"dead-letter-exchange":"dead"}', '--apply-to', 'queues');
    const { connection, channel } = await openForeign(broker.url);
    await channel.assertExchange('dead', 'fanout');
    await channel.assertQueue('letters');
    await channel.bindQueue('letters', 'dead', '');
    await open();
    await queue.publish([makeEvent(1)]);
    const consumer = await queue.consume(() => Promise.resolve('dead'), consuming);
    await until(async () => (await channel.checkQueue('letters')).messageCount > 0);
    await consumer.stop();
    await connection.close();
    await broker.ctl('clear_policy', 'dead');
  });

  test('what is acknowledged leaves the queue although an earlier message is undecided', async () => {
    await open();
    await Promise.all(range(10).map((id) => queue.publish([makeEvent(id)])));
    const later: ((verdict: Verdict) => void)[] = [];
    const decideLater = () => new Promise<Verdict>((resolve) => later.push(resolve));
    let received = 0;
    const consumer = await queue.consume(
      () => (received++ === 0 ? decideLater() : Promise.resolve('ack')),
      consuming,
    );
    const held = async () => {
      const lines = (await broker.ctl('list_queues', 'name', 'messages')).split('\n');
      return lines.find((line) => line.startsWith(name))?.split('\t')[1];
    };
    await until(async () => (await held()) === '1');
    later[0]?.('ack');
    await consumer.stop();
    await until(async () => (await held()) === '0');
  });

  test('a queue is used later when its user may declare no other', async () => {
    await broker.ctl('add_user', 'narrow', 'narrow');
    await broker.ctl('set_permissions', 'narrow', `^${name}$`, '^amq\\.default$', `^${name}$`);
    const warn = jest.spyOn(logger, 'warn');
    const opening = open(broker.url.replace('guest:guest', 'narrow:narrow'));
    try {
      await until(() => warn.mock.calls.length > 0);
      expect(warn.mock.lastCall?.[1]).toMatch(/^RabbitMQ lets its user declare no other queue/);
      expect(await Promise.race([opening, delay(1_000, 'waiting')])).toBe('waiting');
    } finally {
      warn.mockRestore();
      await opening;
    }
    await queue.publish([makeEvent(1)]);
    expect(await queue.depth()).toBe(1);
  });

  test('no other queue is left behind', async () => {
    await open();
    const queues = await broker.ctl('list_queues', 'name');
    expect(queues.split('\n').filter((other) => other.startsWith(name))).toEqual([name]);
  });

  // The queue was declared a moment ago, which some brokers then would not have written yet (waitUntilWritten).
  test.each(['default', 'quorum'] as const)(
    'a broker that is killed loses nothing: %s queue',
    async (type) => {
      await open(broker.url, { type });
      const received = new Set<string>();
      const consumer = await queue.consume((message) => {
      for (const id of eventIds(message)) received.add(id);
      // Some messages wait in the queue and some are undecided whenever the broker is killed.
      return delay(20).then(() => 'ack');
    }, { ...consuming, prefetch: 10 }); // prettier-ignore
      const confirmed: string[] = [];
      let publishing = true;
      const publish = async (publisher: number) => {
        for (let count = 0; publishing; count++) {
          const id = `${publisher}-${count}`;
          const published = await queue.publish([makeEvent(id)]).then(
            () => true,
            () => false,
          );
          if (published) confirmed.push(id);
          await delay(10, undefined, { ref: false });
        }
      };
      const publishers = range(20).map(publish);
      await until(() => confirmed.length >= 200);
      await broker.kill();
      const before = confirmed.length;
      await broker.restart();
      await until(() => confirmed.length >= before + 200);
      publishing = false;
      await Promise.all(publishers);
      await until(() => confirmed.every((id) => received.has(id)));
      await consumer.stop();
    },
  );

  test('a broker that is down at the start is used once it is up', async () => {
    await broker.kill();
    await open();
    await expect(queue.publish([makeEvent(1)])).rejects.toThrow(QueueUnavailable);
    await broker.restart();
    await publishAgain(queue, makeEvent(2));
  });

  test('a broker that hangs is noticed by its heartbeat', async () => {
    await open(`${broker.url}?heartbeat=1`, { publishTimeoutMs: 200 });
    broker.pause();
    try {
      await expect(queue.publish([makeEvent(1)])).rejects.toThrow('no confirm within 200 ms');
      const fault = () => queue.ping().catch(({ message }: Error) => message);
      await until(async () => (await fault()) === 'RabbitMQ is not connected');
    } finally {
      broker.resume();
    }
    await publishAgain(queue, makeEvent(2));
  });

  test('a broker with a resource alarm takes nothing until it is over', async () => {
    await open(broker.url, { publishTimeoutMs: 500 });
    await broker.ctl('set_vm_memory_high_watermark', '0.0000001');
    // The broker tells a connection of its alarm when it first publishes.
    const fault = () => queue.publish([makeEvent(1)]).catch(({ message }: Error) => message);
    await until(async () => ((await fault()) ?? '').includes('resource alarm'));
    await expect(queue.ping()).rejects.toThrow('resource alarm');
    await broker.ctl('set_vm_memory_high_watermark', '0.4');
    await publishAgain(queue, makeEvent(2));
    await queue.ping();
  });

  test('a queue is closed in time while the broker hangs', async () => {
    await open(`${broker.url}?heartbeat=1`, { publishTimeoutMs: 200 });
    const consumer = await queue.consume(() => Promise.resolve('ack'), consuming);
    broker.pause();
    try {
      await consumer.stop();
      await queue.close();
    } finally {
      broker.resume();
    }
  });
});
