import { setTimeout as delay } from 'node:timers/promises';
import { Partitioners, type Admin, type KafkaJSProtocolError } from 'kafkajs';
import { describeWith, serviceUrl, uniqueName, until } from '../../tools/services/in-tests.ts';
import { startKafka } from '../../tools/services/kafka.ts';
import { type Service } from '../../tools/services/service.ts';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { openKafkaQueue } from '../queue/kafka.ts';
import { type Consumer, type Message, type Queue, type QueueOptions, type Verdict } from '../queue/queue.ts';
import {
  eventIds,
  logger,
  makeEvent,
  openForeignKafka,
  publishAgain,
  queueOptions,
  range,
} from './queue-fixture.ts';

// Brokers are started and sessions of members run out, which takes seconds, and many more on a machine that is busy.
jest.setTimeout(180_000);

const consuming = { prefetch: 100, retryDelayMs: 100 };

/** A user for each partition of a topic that has so many. */
function usersOf(partitions: number): string[] {
  const partitionMetadata = range(partitions).map((partitionId) => ({
    ...{ partitionId, leader: 1, partitionErrorCode: 0, replicas: [1], isr: [1] },
  }));
  const partitionOf = Partitioners.DefaultPartitioner();
  const users = new Map<number, string>();
  for (let user = 0; users.size < partitions; user++) {
    const key = `user-${user}`;
    users.set(partitionOf({ topic: 't', partitionMetadata, message: { key, value: '' } }), key);
  }
  return range(partitions).map((partition) => users.get(partition)!);
}

function eventOf(userId: string, eventId: number | string) {
  return { ...makeEvent(eventId), userId };
}

/** Consumes and keeps what is delivered; each message waits for the verdict that `decide` is given for it. */
async function consumeWaiting(queue: Queue, options = consuming) {
  const messages: Message[] = [];
  const decide = new Map<string, (verdict: Verdict) => void>();
  const consumer = await queue.consume((message) => {
    messages.push(message);
    return new Promise((resolve) => decide.set(eventIds(message).join(), resolve));
  }, options);
  const ids = () => messages.flatMap(eventIds);
  const verdict = (id: number | string, given: Verdict) => decide.get(String(id))?.(given);
  return { messages, ids, verdict, consumer };
}

describeWith('kafka', 'kafka queue beside other programs', () => {
  const url = serviceUrlIfAny();
  let name: string;
  let admin: Admin;
  let opened: Queue[];

  async function open(options: Partial<QueueOptions> = {}, query = ''): Promise<Queue> {
    const queue = await openKafkaQueue(`${url}${query}`, { ...queueOptions, name, ...options }, logger);
    opened.push(queue);
    return queue;
  }

  /** What the group has committed, by partition; -1 where it has not. Of a topic that is being made anew, nothing. */
  async function committed(): Promise<number[]> {
    const found = admin.fetchOffsets({ groupId: `${name}.workers`, topics: [name] });
    const [topic] = await found.catch((error: unknown) => {
      if ((error as KafkaJSProtocolError).type === 'UNKNOWN_TOPIC_OR_PARTITION') return [];
      throw error;
    });
    const offsets = (topic?.partitions ?? []).toSorted((a, b) => a.partition - b.partition);
    return offsets.map(({ offset }) => Number(offset));
  }

  /** The controller answers before the broker knows. */
  async function createTopic(config: Record<string, string>): Promise<void> {
    const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
    await admin.createTopics({ topics: [{ topic: name, configEntries }], waitForLeaders: false });
    await until(async () => (await admin.listTopics()).includes(name));
  }

  /** The same, and the broker goes on taking messages for the topic meanwhile. */
  async function deleteTopic(): Promise<void> {
    await admin.deleteTopics({ topics: [name] });
    await until(async () => !(await admin.listTopics()).includes(name));
  }

  beforeEach(async () => {
    opened = [];
    name = uniqueName('kafka');
    admin = openForeignKafka(url).admin();
    await admin.connect();
  });
  afterEach(async () => {
    await Promise.all(opened.map((queue) => queue.close()));
    // kafkajs tries for long to delete a topic that is not there.
    if ((await admin.listTopics()).includes(name)) await admin.deleteTopics({ topics: [name] });
    await admin.disconnect();
  });

  test('creates the topic with the partitions that the URL asks for, and leaves one that is there as it is', async () => {
    await open({}, '?partitions=3&replicationFactor=1');
    await open({}, '?partitions=5');
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    expect(topics[0]?.partitions).toHaveLength(3);
  });

  test('refuses a topic that keeps the last message of a key alone', async () => {
    await createTopic({ 'cleanup.policy': 'compact,delete' });
    const opening = open();
    await expect(opening).rejects.toThrow(ConfigurationError);
    await expect(opening).rejects.toThrow(`QUEUE_NAME: topic ${name} has cleanup.policy=compact,delete`);
  });

  test('refuses a name that no topic can have, and more replicas than there are brokers', async () => {
    await expect(open({ name: 'user activities' })).rejects.toThrow(/^QUEUE_NAME: /);
    await expect(open({}, '?replicationFactor=3')).rejects.toThrow(/^QUEUE_URL: .*cannot be created/);
  });

  test('each message is of one user, whose id is its key', async () => {
    const queue = await open({ messageEventsMax: 500 });
    const events = range(6).map((id) => eventOf(`user-${id % 2}`, id));
    await Promise.all([queue.publish(events.slice(0, 4)), queue.publish(events.slice(4))]);

    const foreign = openForeignKafka(url).consumer({ groupId: uniqueName('foreign') });
    const seen: [string | undefined, string[]][] = [];
    await foreign.connect();
    await foreign.subscribe({ topic: name, fromBeginning: true });
    await foreign.run({
      eachMessage: ({ message: { key, value } }) => {
        seen.push([key?.toString(), eventIds({ body: value! })]);
        return Promise.resolve();
      },
    });
    await until(() => seen.length >= 2);
    await foreign.disconnect();
    expect(seen.toSorted()).toEqual([
      ['user-0', ['0', '2', '4']],
      ['user-1', ['1', '3', '5']],
    ]);
  });

  test('delivers what anyone has published as it is', async () => {
    const queue = await open({}, '?partitions=1');
    const values = [Buffer.from('not JSON'), Buffer.alloc(0), Buffer.from([0xff, 0xfe, 0x00]), null];
    const producer = openForeignKafka(url).producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic: name, messages: values.map((value) => ({ value })) });
    await producer.disconnect();
    const bodies: Buffer[] = [];
    const consumer = await queue.consume(({ body }) => {
      bodies.push(body);
      return Promise.resolve('ack');
    }, consuming);
    await until(() => bodies.length >= values.length);
    await consumer.stop();
    expect(bodies).toEqual(values.map((value) => value ?? Buffer.alloc(0)));
    expect(await queue.depth()).toBe(0);
  });

  test('an offset is committed only behind every undecided message', async () => {
    const queue = await open({}, '?partitions=1');
    await Promise.all(range(5).map((id) => queue.publish([makeEvent(id)])));
    const { ids, verdict, consumer } = await consumeWaiting(queue);
    await until(() => ids().length >= 5);
    expect(await committed()).toEqual([0]);
    for (const id of [1, 3, 4]) verdict(id, 'ack');
    verdict(0, 'dead');
    await until(async () => (await committed())[0] !== 0);
    expect(await committed()).toEqual([2]);
    expect(await queue.depth()).toBe(3);
    verdict(2, 'ack');
    await until(async () => (await committed())[0] === 5);
    await consumer.stop();
    expect(await queue.depth()).toBe(0);
  });

  test('a retry holds up its own partition alone, and that only `prefetch` messages behind it', async () => {
    const queue = await open({}, '?partitions=2');
    const [one, other] = usersOf(2) as [string, string];
    await queue.publish([eventOf(one, 'poison')]);
    for (const id of range(20)) await queue.publish([eventOf(one, `one-${id}`)]);
    for (const id of range(20)) await queue.publish([eventOf(other, `other-${id}`)]);
    let poisoned = true;
    const ids: string[] = [];
    const consumer = await queue.consume(
      (message) => {
        const [id = ''] = eventIds(message);
        ids.push(id);
        return Promise.resolve(id === 'poison' && poisoned ? 'retry' : 'ack');
      },
      { prefetch: 5, retryDelayMs: 50 },
    );
    const count = (prefix: string) => ids.filter((id) => id.startsWith(prefix)).length;
    await until(() => count('other-') === 20 && count('poison') >= 5);
    expect(count('one-')).toBe(4);
    poisoned = false;
    await until(() => count('one-') === 20);
    await consumer.stop();
    expect(await queue.depth()).toBe(0);
  });

  test('a second consumer loses nothing of what the first has in work, and commits nothing early', async () => {
    const queue = await open();
    const users = usersOf(6);
    await Promise.all(range(60).map((id) => queue.publish([eventOf(users[id % 6]!, id)])));
    const first = await consumeWaiting(queue);
    await until(() => first.ids().length >= 60);
    const second = await consumeWaiting(await open());
    await until(() => second.ids().length >= 30);
    expect(await committed()).toEqual([0, 0, 0, 0, 0, 0]);

    // What has moved is in the hands of both, and what the first decides over it does not count any more.
    expect(new Set(first.ids()).size).toBe(first.ids().length);
    expect(second.messages.every(({ redelivered }) => redelivered)).toBe(true);
    const moved = new Set(second.ids());
    for (const id of range(60)) first.verdict(id, 'ack');
    await until(async () => (await queue.depth()) === moved.size);
    for (const id of moved) second.verdict(id, 'ack');
    await until(async () => (await queue.depth()) === 0);
    await Promise.all([first.consumer.stop(), second.consumer.stop()]);
    expect(first.ids()).toHaveLength(60);
  });

  test('what waits in the partitions of others is no work of a consumer', async () => {
    const queue = await open({}, '?partitions=1');
    await Promise.all(range(3).map((id) => queue.publish([makeEvent(id)])));
    const first = await consumeWaiting(queue);
    await until(() => first.ids().length >= 3);
    expect(await first.consumer.depth!()).toBe(3);
    const second = await consumeWaiting(await open());
    const depths = () => Promise.all([first, second].map(({ consumer }) => consumer.depth!()));
    await until(async () => (await depths()).toSorted((a, b) => a - b).join() === '0,3');
    expect(await queue.depth()).toBe(3);
  });

  test('a consumer that comes and goes loses nothing and doubles only what was in work', async () => {
    const queue = await open();
    const users = usersOf(6);
    const seen = new Map<string, boolean[]>();
    const consume = (from: Queue): Promise<Consumer> =>
      from.consume(
        async (message) => {
          const [id = ''] = eventIds(message);
          seen.set(id, [...(seen.get(id) ?? []), message.redelivered]);
          await delay(Number(id) % 7);
          return 'ack';
        },
        { prefetch: 20, retryDelayMs: 50 },
      );
    const staying = await consume(queue);
    let sent = 0;
    let publishing = true;
    const publisher = (async () => {
      while (publishing) await queue.publish([eventOf(users[sent % 6]!, sent++)]);
    })();
    for (let round = 0; round < 3; round++) {
      const coming = await consume(await open());
      const before = seen.size;
      await until(() => seen.size > before + 50);
      await coming.stop();
    }
    publishing = false;
    await publisher;
    await until(() => seen.size === sent);
    await staying.stop();
    expect(await queue.depth()).toBe(0);
    for (const deliveries of seen.values()) {
      expect(deliveries.slice(1).every((redelivered) => redelivered)).toBe(true);
    }
  });

  test('what a consumer had that stopped in order is not taken for redelivered', async () => {
    const queue = await open({}, '?partitions=1');
    await queue.publish([makeEvent(1)]);
    const first = await consumeWaiting(queue);
    await until(() => first.ids().length >= 1);
    first.verdict(1, 'ack');
    await first.consumer.stop();
    await queue.publish([makeEvent(2)]);
    const second = await consumeWaiting(queue);
    await until(() => second.ids().length >= 1);
    second.verdict(2, 'ack');
    await second.consumer.stop();
    expect(second.messages).toMatchObject([{ attempts: 1, redelivered: false }]);
  });

  test('the largest event that can be let in has room in a topic that was created here', async () => {
    const queue = await open();
    await queue.publish([makeEvent(1, { text: 'x'.repeat(8 * 1024 * 1024) })]);
    const { messages, verdict, consumer } = await consumeWaiting(queue);
    await until(() => messages.length >= 1);
    expect(messages[0]?.body.length).toBeGreaterThan(8 * 1024 * 1024);
    verdict(1, 'ack');
    await consumer.stop();
  });

  test('a message that the topic is too small for is refused, and takes nobody with it', async () => {
    await createTopic({ 'max.message.bytes': '10000' });
    const queue = await open();
    const large = queue.publish([makeEvent('large', { text: 'x'.repeat(900_000) })]);
    const small = queue.publish([makeEvent('small')]);
    await expect(large).rejects.toThrow(QueueUnavailable);
    await small;
    expect(await queue.depth()).toBe(1);
  });

  test('a handler may take longer than the session of its consumer', async () => {
    const queue = await open({}, '?partitions=1');
    await queue.publish([makeEvent(1)]);
    const { ids, verdict, consumer } = await consumeWaiting(queue);
    await until(() => ids().length >= 1);
    const sessionTimeoutMs = 10_000;
    await delay(sessionTimeoutMs + 2_000);
    verdict(1, 'ack');
    await until(async () => (await committed())[0] === 1);
    await consumer.stop();
    expect(ids()).toEqual(['1']);
  });

  test('a consumer whose topic was deleted consumes from the new one', async () => {
    const queue = await open({}, '?partitions=1');
    const { ids, verdict, consumer } = await consumeWaiting(queue);
    for (const id of ['1', '2', '3', '4', '5']) await queue.publish([makeEvent(id)]);
    await until(() => ids().length >= 5);
    for (const id of ids()) verdict(id, 'ack');
    await until(async () => (await committed())[0] === 5);
    await deleteTopic();
    await publishAgain(queue, makeEvent('after'));
    await until(() => ids().includes('after'));
    verdict('after', 'ack');
    await until(async () => (await committed())[0] === 1);
    await consumer.stop();
  });

  test('a topic that was deleted is created again', async () => {
    const queue = await open();
    await queue.publish([makeEvent(1)]);
    await deleteTopic();
    await expect(queue.publish([makeEvent(2)])).rejects.toThrow(QueueUnavailable);
    await publishAgain(queue, makeEvent(3));
    expect(await queue.depth()).toBe(1);
  });
});

/** Read while suites are collected, where there may be no broker and no test either. */
function serviceUrlIfAny(): string {
  return process.env.TEST_KAFKA_URL === undefined ? '' : serviceUrl('kafka');
}

describeWith('kafka', 'kafka broker that fails', () => {
  let broker: Service;
  let queue: Queue;

  beforeAll(async () => {
    broker = await startKafka();
  });
  beforeEach(async () => {
    queue = await openKafkaQueue(broker.url, { ...queueOptions, name: uniqueName('failing'), publishTimeoutMs: 2_000 }, logger); // prettier-ignore
  });
  afterEach(() => queue.close());
  afterAll(() => broker.stop());

  test('that does not answer is connected to later', async () => {
    broker.pause();
    const name = uniqueName('silent');
    const later = await openKafkaQueue(broker.url, { ...queueOptions, name }, logger);
    await expect(later.ping()).rejects.toThrow(QueueUnavailable);
    broker.resume();
    await publishAgain(later, makeEvent(1));
    await later.close();
  });

  test.each([
    ['killed and started again', () => broker.kill(), () => broker.restart()],
    [
      'stopped by SIGSTOP and continued',
      () => Promise.resolve(broker.pause()),
      () => Promise.resolve(broker.resume()),
    ],
  ])('that is %s has what it confirmed, and consuming goes on by itself', async (_how, leave, comeBack) => {
    const ids = new Set<string>();
    const consumer = await queue.consume((message) => {
      for (const id of eventIds(message)) ids.add(id);
      return Promise.resolve('ack');
    }, consuming);
    await queue.publish([makeEvent('before')]);
    await until(() => ids.has('before'));
    const publishing = range(50).map((id) => queue.publish([makeEvent(id)]));
    await leave();
    const outcomes = await Promise.allSettled(publishing);
    await expect(queue.publish([makeEvent('away')])).rejects.toThrow(QueueUnavailable);
    await expect(queue.ping()).rejects.toThrow(QueueUnavailable);
    await expect(queue.depth()).rejects.toThrow(QueueUnavailable);
    await comeBack();
    await publishAgain(queue, makeEvent('after'));
    const confirmed = range(50).filter((id) => outcomes[id]?.status === 'fulfilled');
    await until(() => ids.has('after') && confirmed.every((id) => ids.has(String(id))));
    await consumer.stop();
  });
});

describeWith('kafka', 'kafka broker with users', () => {
  const user = { name: 'alice', password: 'open:sesame' };
  let broker: Service;
  const open = (credentials: string, query = '') =>
    openKafkaQueue(broker.url.replace('://', `://${credentials}`) + query, { ...queueOptions }, logger);

  beforeAll(async () => {
    broker = await startKafka({ user });
  });
  afterAll(() => broker.stop());

  test.each(['', '?saslMechanism=plain', '?saslMechanism=scram-sha-512'])(
    'takes the right password, %s',
    async (query) => {
      const queue = await open('alice:open%3Asesame@', query);
      await queue.publish([makeEvent(1)]);
      await queue.close();
    },
  );

  test.each(['?saslMechanism=plain', '?saslMechanism=scram-sha-512'])(
    'refuses a wrong password in one line, without it, %s',
    async (query) => {
      const opening = open('alice:close-sesame@', query);
      await expect(opening).rejects.toThrow(ConfigurationError);
      await expect(opening).rejects.toThrow(/^QUEUE_URL: Kafka refuses the user or the password(?!.*sesame)/);
    },
  );
});
