import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { connect } from 'amqplib';
import { type ISocketFactory } from 'kafkajs';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';
import { type AsSent } from '../message.ts';
import { openKafkaQueue } from '../queue/kafka.ts';
import { createMemoryQueue } from '../queue/memory.ts';
import { MESSAGE_BYTES_MAX } from '../queue/packer.ts';
import { openMongodbQueue } from '../queue/mongodb.ts';
import { type Message, type Queue, type QueueOptions, type Verdict } from '../queue/queue.ts';
import { openRabbitmqQueue } from '../queue/rabbitmq.ts';
import {
  asSent,
  eventIds,
  eventsOn,
  logger,
  makeEvent,
  openForeignKafka,
  publishAgain,
  queueOptions,
  range,
} from './queue-fixture.ts';
import { startTcpProxy } from './tcp-proxy.ts';

/** One queue of its own for each test. */
interface Fixture {
  /** Another connection to the same queue. */
  open(options?: Partial<QueueOptions>): Promise<Queue>;
  /** The queue cannot be reached any more. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
  /** Connections stay, and nothing answers. */
  hang(): void;
  end(): Promise<void>;
}

interface Driver {
  name: string;
  describe: (title: string, body: () => void) => void;
  /** Another connection is really another one, and outlives the first. */
  durable: boolean;
  setUp(): Promise<Fixture>;
}

const drivers: Driver[] = [
  {
    name: 'memory',
    describe,
    durable: false,
    setUp() {
      let queue = createMemoryQueue(queueOptions);
      return Promise.resolve({
        open: (options) => {
          if (options?.messageEventsMax) queue = createMemoryQueue({ ...queueOptions, ...options });
          return Promise.resolve(queue);
        },
        leave: () => Promise.resolve(queue.fail(true)),
        comeBack: () => Promise.resolve(queue.fail(false)),
        hang: () => undefined,
        end: () => Promise.resolve(),
      });
    },
  },
  ...(['default', 'quorum'] as const).map((type): Driver => ({
    name: `rabbitmq, ${type} queue`,
    describe: (title, body) => describeWith('rabbitmq', title, body),
    durable: true,
    async setUp() {
      const proxy = await startTcpProxy(serviceUrl('rabbitmq'));
      const name = uniqueName('contract');
      return {
        open: (options) => openRabbitmqQueue(proxy.url, { ...queueOptions, name, type, ...options }, logger),
        leave: () => proxy.cut(),
        comeBack: () => proxy.restore(),
        hang: () => proxy.hang(),
        async end() {
          const connection = await connect(serviceUrl('rabbitmq'));
          await (await connection.createChannel()).deleteQueue(name);
          await connection.close();
          await proxy.close();
        },
      };
    },
  })),
  {
    name: 'mongodb',
    describe: (title, body) => describeWith('mongodb', title, body),
    durable: true,
    async setUp() {
      const proxy = await startTcpProxy(serviceUrl('mongodb'));
      const database = uniqueName('contract');
      return {
        open: (options) =>
          openMongodbQueue(`${proxy.url}/${database}`, { ...queueOptions, ...options }, logger, 3_000),
        leave: () => proxy.cut(),
        comeBack: () => proxy.restore(),
        hang: () => proxy.hang(),
        async end() {
          const client = await MongoClient.connect(serviceUrl('mongodb'));
          await client.db(database).dropDatabase();
          await client.close();
          await proxy.close();
        },
      };
    },
  },
  {
    name: 'kafka',
    describe: (title, body) => describeWith('kafka', title, body),
    durable: true,
    async setUp() {
      const proxy = await startTcpProxy(serviceUrl('kafka'));
      const name = uniqueName('contract');
      // A broker tells its own address to whoever asks it for its topics: each connection is led to the proxy.
      const throughProxy: ISocketFactory = ({ onConnect }) =>
        net.connect(Number(new URL(proxy.url).port), '127.0.0.1', onConnect);
      return {
        open: (options) =>
          openKafkaQueue(proxy.url, { ...queueOptions, name, ...options }, logger, throughProxy),
        leave: () => proxy.cut(),
        comeBack: () => proxy.restore(),
        hang: () => proxy.hang(),
        async end() {
          const kafka = openForeignKafka(serviceUrl('kafka'));
          const admin = kafka.admin();
          await admin.connect();
          await admin.deleteTopics({ topics: [name] });
          await admin.disconnect();
          await proxy.close();
        },
      };
    },
  },
];

for (const driver of drivers) {
  driver.describe(`queue contract: ${driver.name}`, () => contract(driver));
}

function contract(driver: Driver): void {
  let fixture: Fixture;
  let queue: Queue;
  let opened: Queue[];
  const consuming = { prefetch: 100, retryDelayMs: 100 };
  // What only a queue behind a network can be tested for; for the others there is no such test.
  const durableTest: (name: string, body: () => Promise<void>) => void = driver.durable
    ? test
    : () => undefined;

  async function open(options?: Partial<QueueOptions>): Promise<Queue> {
    const another = await fixture.open(options);
    opened.push(another);
    return another;
  }

  /** Consumes in the background and keeps what is delivered; each verdict is 'ack' unless told otherwise. */
  async function consumeAll(
    from: Queue,
    verdict: (message: Message) => Verdict | Promise<Verdict> = () => 'ack',
  ) {
    const messages: Message[] = [];
    const consumer = await from.consume(async (message) => {
      messages.push(message);
      return verdict(message);
    }, consuming);
    return { messages, consumer, ids: () => messages.flatMap(eventIds) };
  }

  beforeEach(async () => {
    fixture = await driver.setUp();
    opened = [];
    queue = await open();
  });
  afterEach(async () => {
    await fixture.comeBack();
    await Promise.all(opened.map((each) => each.close()));
    await fixture.end();
  });

  test('one event is a JSON object', async () => {
    const event = makeEvent(1, { page: '/ä', nested: { list: [1, null] } });
    await queue.publish([event]);
    const { messages, consumer } = await consumeAll(queue);
    await until(() => messages.length > 0);
    await consumer.stop();
    expect(messages).toEqual([{ body: Buffer.from(JSON.stringify(event)), attempts: 1, redelivered: false }]);
  });

  test('several events are one JSON array', async () => {
    const events = range(3).map((id) => makeEvent(id));
    const packing = await open({ messageEventsMax: 500 });
    await packing.publish(events);
    const { messages, consumer } = await consumeAll(packing);
    await until(() => messages.length > 0);
    await consumer.stop();
    expect(messages.map(({ body }) => JSON.parse(body.toString()) as unknown)).toEqual([events]);
  });

  test('requests that come in together share messages, each whole, up to the number of events', async () => {
    const packing = await open({ messageEventsMax: 4 });
    const requests = [['a'], ['b', 'c'], ['d', 'e', 'f'], ['g']];
    await Promise.all(requests.map((ids) => packing.publish(ids.map((id) => makeEvent(id)))));
    const { messages, consumer, ids } = await consumeAll(packing);
    await until(() => ids().length >= 7);
    await consumer.stop();
    expect(messages.map(eventIds)).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e', 'f', 'g'],
    ]);
  });

  /** Publishes requests in one turn of the event loop, and takes what comes of them off the queue. */
  async function publishTogether(packing: Queue, requests: (readonly [ActivityEvent[], AsSent?])[]) {
    const { messages, consumer, ids } = await consumeAll(packing);
    await Promise.all(requests.map(([events, sent]) => packing.publish(events, sent)));
    await until(() => ids().length >= requests.flatMap(([events]) => events).length);
    await consumer.stop();
    return messages;
  }

  test.each([1, 2, 7])('%i events as they were sent are the same events', async (count) => {
    const events = range(count).map((id) => makeEvent(id, { page: '/ä', list: [1, null, ']', '"}'] }));
    const packing = await open({ messageEventsMax: 500 });
    const messages = await publishTogether(packing, [[events, asSent(events)]]);
    expect(messages.map(eventsOn)).toEqual([events]);
    const anew = await publishTogether(packing, [[events]]);
    expect(anew.map(eventsOn)).toEqual([events]);
  });

  test('one event as it was sent is a flat object with what its client wrote, and nothing else', async () => {
    const event = { ...makeEvent(1, { n: 1 }), ip: '203.0.113.7' };
    const [message] = await publishTogether(queue, [[[event], asSent([event])]]);
    const { eventId, source, receivedAt, requestId, ip, userAgent } = event;
    const facts = JSON.stringify({ eventId, source, receivedAt, requestId, ip, userAgent });
    expect(message?.body.toString()).toBe(
      `${asSent([event]).bytes.toString().slice(0, -1)},${facts.slice(1)}`,
    );
    expect(JSON.parse(String(message?.body))).toEqual(event);
  });

  test('with one event a message those of a batch as it was sent are flat objects', async () => {
    const events = range(3).map((id) => makeEvent(id));
    const messages = await publishTogether(queue, [[events, asSent(events)]]);
    expect(messages.map(({ body }) => JSON.parse(body.toString()) as unknown)).toEqual(events);
  });

  test('a batch as it was sent of too many events for one message is split', async () => {
    const events = range(10).map((id) => makeEvent(id));
    const packing = await open({ messageEventsMax: 4 });
    const messages = await publishTogether(packing, [[events, asSent(events)]]);
    expect(messages.flatMap(eventsOn)).toEqual(events);
    expect(Math.max(...messages.map((message) => eventsOn(message).length))).toBeLessThanOrEqual(4);
  });

  test('a batch as it was sent of too many bytes for one message is split', async () => {
    const events = range(5).map((id) => makeEvent(id, { text: 'x'.repeat(100 * 1024) }));
    const packing = await open({ messageEventsMax: 500 });
    const messages = await publishTogether(packing, [[events, asSent(events)]]);
    expect(messages.flatMap(eventsOn)).toEqual(events);
    expect(Math.max(...messages.map(({ body }) => body.length))).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  });

  test('requests of one turn keep their order, however each is written', async () => {
    const requests = [['a'], ['b', 'c'], ['d'], ['e', 'f', 'g'], ['h', 'i'], ['j']].map((ids) =>
      ids.map((id) => makeEvent(id)),
    );
    const packing = await open({ messageEventsMax: 500 });
    const messages = await publishTogether(
      packing,
      requests.map((events, index) => (index === 3 ? [events] : [events, asSent(events)])),
    );
    expect(messages.flatMap(eventsOn)).toEqual(requests.flat());
  });

  test('no events are no message', async () => {
    await queue.publish([]);
    expect(await queue.depth()).toBe(0);
  });

  test('events that are too large for one message are split, and one that is larger goes alone', async () => {
    const kilobytes = [100, 100, 100, 300, 1];
    const packing = await open({ messageEventsMax: 500 });
    await packing.publish(kilobytes.map((size, id) => makeEvent(id, { text: 'x'.repeat(size * 1024) })));
    const { messages, consumer, ids } = await consumeAll(packing);
    await until(() => ids().length >= kilobytes.length);
    await consumer.stop();
    expect(messages.map(eventIds)).toEqual([['0', '1'], ['2'], ['3'], ['4']]);
    expect(messages.filter(({ body }) => body.length > MESSAGE_BYTES_MAX).map(eventIds)).toEqual([['3']]);
  });

  test('messages come in the order of their publishing', async () => {
    const sent = range(300).map(String);
    for (const id of sent.slice(0, 50)) await queue.publish([makeEvent(id)]);
    await Promise.all(sent.slice(50).map((id) => queue.publish([makeEvent(id)])));
    const { consumer, ids } = await consumeAll(queue);
    await until(() => ids().length >= sent.length);
    await consumer.stop();
    expect(ids()).toEqual(sent);
  });

  test.each(['ack', 'dead'] as const)('%s removes a message for good', async (verdict) => {
    await Promise.all(range(20).map((id) => queue.publish([makeEvent(id)])));
    expect(await queue.depth()).toBe(20);
    const { consumer, ids } = await consumeAll(queue, () => verdict);
    await until(() => ids().length >= 20);
    await consumer.stop();
    expect(ids()).toHaveLength(20);

    const later = driver.durable ? await open() : queue;
    expect(await later.depth()).toBe(0);
    const second = await consumeAll(later);
    await publishAgain(later, makeEvent('last'));
    await until(() => second.ids().length > 0);
    await second.consumer.stop();
    expect(second.ids()).toEqual(['last']);
  });

  test('retry brings a message back, no sooner than the delay', async () => {
    await queue.publish([makeEvent(1)]);
    const times: number[] = [];
    const { messages, consumer } = await consumeAll(queue, ({ attempts }) => {
      times.push(Date.now());
      return attempts < 3 ? 'retry' : 'ack';
    });
    // A driver may not know more than that a delivery is not the first.
    await until(() => messages.length >= 3);
    await consumer.stop().catch(() => undefined);
    const [first, ...later] = messages;
    expect(first).toMatchObject({ attempts: 1, redelivered: false });
    for (const message of later) {
      expect(message.redelivered).toBe(true);
      expect(message.attempts).toBeGreaterThanOrEqual(2);
    }
    for (const [index, time] of times.slice(1).entries()) {
      // Timers of Node.js may be a millisecond early.
      expect(time - times[index]!).toBeGreaterThanOrEqual(consuming.retryDelayMs - 1);
    }
  });

  test('a handler that throws has its message retried', async () => {
    await queue.publish([makeEvent('rejects')]);
    await queue.publish([makeEvent('throws')]);
    const consumed: string[] = [];
    const consumer = await queue.consume((message) => {
      const [id = ''] = eventIds(message);
      consumed.push(id);
      if (message.redelivered) return Promise.resolve('ack');
      if (id === 'rejects') return Promise.reject(new Error('rejected'));
      throw new Error('thrown');
    }, consuming);
    await until(() => consumed.length >= 4);
    await consumer.stop();
    expect(consumed.toSorted()).toEqual(['rejects', 'rejects', 'throws', 'throws']);
    expect(await queue.depth()).toBe(0);
  });

  test('a poison message does not hold up the others', async () => {
    for (const id of range(10)) await queue.publish([makeEvent(id)]);
    const { consumer, ids } = await consumeAll(queue, (message) =>
      eventIds(message)[0] === '0' ? 'retry' : 'ack',
    );
    await until(() => new Set(ids()).size === 10 && ids().filter((id) => id === '0').length > 2);
    await consumer.stop();
    expect(ids().filter((id) => id !== '0')).toHaveLength(9);
  });

  test('no more than `prefetch` messages are undecided at a time', async () => {
    await Promise.all(range(40).map((id) => queue.publish([makeEvent(id)])));
    let undecided = 0;
    let undecidedMax = 0;
    let decided = 0;
    const consumer = await queue.consume(
      async () => {
        undecidedMax = Math.max(undecidedMax, ++undecided);
        // The first ones wait until as many are undecided as may be; then there is time for one too many.
        await until(() => undecidedMax >= 4);
        await delay(5);
        undecided--;
        decided++;
        return 'ack';
      },
      { ...consuming, prefetch: 4 },
    );
    await until(() => decided >= 40);
    await consumer.stop();
    expect(undecidedMax).toBe(4);
    expect(decided).toBe(40);
  });

  test('two consumers share the queue', async () => {
    const other = await open();
    const [one, two] = [await consumeAll(queue), await consumeAll(other)];
    await Promise.all(range(400).map((id) => queue.publish([makeEvent(id)])));
    await until(() => one.ids().length + two.ids().length >= 400);
    await Promise.all([one.consumer.stop(), two.consumer.stop()]);
    const all = [...one.ids(), ...two.ids()].map(Number).sort((a, b) => a - b);
    expect(all).toEqual(range(400));
  });

  test('stop waits for the handlers, and hands nothing out after', async () => {
    await queue.publish([makeEvent(1)]);
    let decide: (verdict: Verdict) => void = () => undefined;
    const verdict = new Promise<Verdict>((resolve) => (decide = resolve));
    const { consumer, ids } = await consumeAll(queue, () => verdict);
    await until(() => ids().length > 0);
    let stopped = false;
    const stop = consumer.stop().then(() => (stopped = true));
    await queue.publish([makeEvent(2)]);
    await delay(100);
    expect(stopped).toBe(false);
    decide('ack');
    await stop;
    await delay(100);
    expect(ids()).toEqual(['1']);
    expect(await queue.depth()).toBe(1);
  });

  test('stop does not wait for what is to be retried', async () => {
    await queue.publish([makeEvent(1)]);
    let decided = false;
    const consumer = await queue.consume(
      () => {
        decided = true;
        return Promise.resolve('retry');
      },
      { prefetch: 10, retryDelayMs: 600_000 },
    );
    await until(() => decided);
    await consumer.stop();
  });

  test('a consumer can follow another one', async () => {
    for (const id of range(5)) {
      await queue.publish([makeEvent(id)]);
      const { consumer, ids } = await consumeAll(queue);
      await until(() => ids().length > 0);
      await consumer.stop();
      expect(ids()).toEqual([String(id)]);
    }
  });

  test('verdicts may come in any order', async () => {
    await Promise.all(range(30).map((id) => queue.publish([makeEvent(id)])));
    const decide = new Map<string, (verdict: Verdict) => void>();
    const { consumer, ids } = await consumeAll(queue, (message) => {
      if (message.redelivered) return 'ack';
      return new Promise((resolve) => decide.set(eventIds(message).join(), resolve));
    });
    await until(() => decide.size === 30);
    const verdicts = ['ack', 'dead', 'ack', 'retry', 'ack'] as const;
    for (const step of [7, 11, 13]) {
      // Three passes over the thirds that are left, each in jumps and over several turns of the event loop.
      for (const id of range(30).map((index) => String((index * step) % 30))) {
        if (Number(id) % 3 !== [7, 11, 13].indexOf(step)) continue;
        decide.get(id)?.(verdicts[Number(id) % 5]!);
        await delay(1);
      }
    }
    const retried = range(30).filter((id) => id % 5 === 3);
    await until(() => ids().length >= 30 + retried.length);
    await consumer.stop();
    expect(ids().slice(30).map(Number).toSorted((a, b) => a - b)).toEqual(retried); // prettier-ignore
    expect(await queue.depth()).toBe(0);
  });

  durableTest('what a consumer that vanished had not decided comes back', async () => {
    await Promise.all(range(10).map((id) => queue.publish([makeEvent(id)])));
    let decide: (verdict: Verdict) => void = () => undefined;
    const verdict = new Promise<Verdict>((resolve) => (decide = resolve));
    const vanishing = await consumeAll(queue, () => verdict);
    await until(() => vanishing.ids().length >= 10);
    await fixture.leave();
    await queue.close();
    await fixture.comeBack();

    const { messages, consumer, ids } = await consumeAll(await open());
    await until(() => ids().length >= 10);
    await consumer.stop();
    expect(ids()).toEqual(range(10).map(String));
    for (const message of messages) {
      expect(message).toMatchObject({ attempts: 2, redelivered: true });
    }
    decide('ack');
    await vanishing.consumer.stop();
  });

  test('while the queue is away, everything rejects; then publishing and consuming go on', async () => {
    const { consumer, ids } = await consumeAll(queue);
    await queue.publish([makeEvent(1)]);
    await until(() => ids().length > 0);
    await fixture.leave();
    await expect(queue.publish([makeEvent(2)])).rejects.toThrow(QueueUnavailable);
    await expect(queue.ping()).rejects.toThrow(QueueUnavailable);
    await expect(queue.depth()).rejects.toThrow(QueueUnavailable);
    await fixture.comeBack();
    await publishAgain(queue, makeEvent(3));
    await until(() => ids().includes('3'));
    await queue.ping();
    await consumer.stop();
  });

  durableTest('stop and close resolve while the queue is away', async () => {
    await queue.publish([makeEvent(1)]);
    let decide: (verdict: Verdict) => void = () => undefined;
    const verdict = new Promise<Verdict>((resolve) => (decide = resolve));
    const { consumer, ids } = await consumeAll(queue, () => verdict);
    await until(() => ids().length > 0);
    await fixture.leave();
    decide('ack');
    await consumer.stop();
    await queue.close();
  });

  durableTest('a queue that is away when it is opened is opened later', async () => {
    await fixture.leave();
    const later = await open();
    const { consumer, ids } = await consumeAll(later);
    await expect(later.publish([makeEvent(1)])).rejects.toThrow(QueueUnavailable);
    await fixture.comeBack();
    await publishAgain(later, makeEvent(2));
    await until(() => ids().includes('2'));
    await consumer.stop();
  });

  durableTest('a publish that is not confirmed in time rejects, and so do ping and depth', async () => {
    const hasty = await open({ publishTimeoutMs: 300 });
    await hasty.publish([makeEvent(1)]);
    fixture.hang();
    await expect(hasty.publish([makeEvent(2)])).rejects.toThrow(QueueUnavailable);
    await expect(hasty.ping()).rejects.toThrow(QueueUnavailable);
    await expect(hasty.depth()).rejects.toThrow(QueueUnavailable);
    await fixture.comeBack();
    await publishAgain(hasty, makeEvent(3));
  });

  durableTest(
    'messages in flight past the limit are refused, and the place of others becomes free',
    async () => {
      const limited = await open({ inFlightMax: 2 });
      const outcomes = await Promise.allSettled(range(3).map((id) => limited.publish([makeEvent(id)])));
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
      expect(outcomes[2]).toMatchObject({ reason: expect.any(QueueUnavailable) as unknown });
      await limited.publish([makeEvent(3)]);
      expect(await queue.depth()).toBe(3);
    },
  );

  durableTest('batches as they were sent count as requests in flight, and no longer', async () => {
    const limited = await open({ inFlightMax: 2, messageEventsMax: 500 });
    const publish = (id: string) => {
      const events = [makeEvent(`${id}-0`), makeEvent(`${id}-1`)];
      return limited.publish(events, asSent(events));
    };
    for (const round of range(3)) {
      const outcomes = await Promise.allSettled(range(3).map((id) => publish(`${round}-${id}`)));
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
      expect(outcomes[2]).toMatchObject({ reason: expect.any(QueueUnavailable) as unknown });
    }
    const { consumer, ids } = await consumeAll(queue);
    await until(() => ids().length >= 12);
    await consumer.stop();
    expect(ids()).toHaveLength(12);
  });

  if (driver.durable) {
    test('batches as they were sent are bounded in bytes too', async () => {
      const limited = await open({ publishTimeoutMs: 500, messageEventsMax: 500 });
      fixture.hang();
      const text = 'x'.repeat(100_000);
      const outcomes = await Promise.allSettled(
        range(60).map((id) => {
          const events = [makeEvent(`${id}-0`, { text }), makeEvent(`${id}-1`, { text })];
          return limited.publish(events, asSent(events));
        }),
      );
      const reasons = outcomes.map((outcome) => String((outcome as PromiseRejectedResult).reason));
      expect(reasons.filter((reason) => reason.includes('bytes are in flight')).length).toBe(19);
      await fixture.comeBack();
      await publishAgain(limited, makeEvent('after'));
    });

    test('what waits for its confirm is bounded in bytes too', async () => {
      const limited = await open({ publishTimeoutMs: 500 });
      fixture.hang();
      const large = { text: 'x'.repeat(500_000) };
      const outcomes = await Promise.allSettled(
        range(30).map((id) => limited.publish([makeEvent(id, large)])),
      );
      const reasons = outcomes.map((outcome) => String((outcome as PromiseRejectedResult).reason));
      expect(reasons.filter((reason) => reason.includes('bytes are in flight')).length).toBe(14);
      await fixture.comeBack();
      await publishAgain(limited, makeEvent('after'));
    });

    test('a request that is larger than the bounds is taken when nothing else is in flight', async () => {
      const limited = await open({ inFlightMax: 1 });
      const large = { text: 'x'.repeat(500_000) };
      await limited.publish(range(20).map((id) => makeEvent(id, large)));
      expect(await queue.depth()).toBe(20);
    });
  }

  durableTest('messages that were given up count until it is known what became of them', async () => {
    const limited = await open({ inFlightMax: 2, publishTimeoutMs: 100 });
    fixture.hang();
    for (const id of range(2)) {
      await expect(limited.publish([makeEvent(id)])).rejects.toThrow('100 ms');
    }
    await expect(limited.publish([makeEvent(2)])).rejects.toThrow('in flight');
    await fixture.comeBack();
    await publishAgain(limited, makeEvent(3));
  });

  test('close waits for publishes in flight, and there are none after it', async () => {
    const publishing = Promise.all(range(20).map((id) => queue.publish([makeEvent(id)])));
    await queue.close();
    await publishing;
    await expect(queue.publish([makeEvent(20)])).rejects.toThrow(QueueUnavailable);
    await expect(queue.ping()).rejects.toThrow(QueueUnavailable);
    if (driver.durable) expect(await (await open()).depth()).toBe(20);
  });
}
