import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { connect } from 'amqplib';
import { Kafka, logLevel } from 'kafkajs';
import { ObjectId } from 'mongodb';
import { LETTER_BODY_BYTES_MAX } from '../consumer/store/letter-body.ts';
import { type BrokerName, brokers, type OpenStore, type StoreName, stores } from '../tools/pairs.ts';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../tools/services/in-tests.ts';
import { send } from './ledger.ts';
import { ENVELOPE, type Poison, poisons } from './poison-pack.ts';
import { type Program, ready, runProgram } from '../tools/programs.ts';
import { endAll, errorLines, NO_LIMIT, openDb, openFound, ours, TIMEOUT_MS } from './support.ts';

afterAll(endAll);

/** So many good events go with each poison. */
const GOOD_PER_POISON = 100;
/** A delivery may be repeated where the machine stalls; what loops is delivered without end. */
const ATTEMPTS_MAX = 3;
/** The broker takes no larger batch of records by default; some of it is not the messages'. */
const RECORD_BYTES_MAX = 900 * 1024;

/** What has to be there in the end. */
interface Expected {
  /** Good events, each with its number as payload. */
  good: Map<string, number>;
  stored: Map<string, Poison>;
  letters: Map<string, { poison: Pick<Poison, 'name' | 'queue'>; body: Buffer }>;
}

const nothing = (): Expected => ({ good: new Map(), stored: new Map(), letters: new Map() });

/** A good event, remembered. */
function goodText(expected: Expected, envelope = ''): string {
  const n = expected.good.size;
  const id = `good-${n}`;
  expected.good.set(id, n);
  return `{"eventId":"${id}","userId":"u","eventType":"good","timestamp":"2026-02-19T10:00:00Z","payload":{"n":${n}}${envelope}}`;
}

const goodTexts = (expected: Expected, count: number, envelope = '') =>
  Array.from({ length: count }, () => goodText(expected, envelope));

const digestOf = (body: Buffer) => createHash('sha256').update(body).digest('hex');

/** The message that is nothing but this poison, remembered with what has to become of it. */
function aloneMessage(expected: Expected, poison: Poison, index: number): Buffer {
  const id = `alone-${index}`;
  const body = Buffer.from(poison.text(id, ENVELOPE));
  if (poison.queue === 'stored') expected.stored.set(id, poison);
  else {
    // An array of one item is a batch of one.
    const [, item] = poison.alone ? [] : (/^\[(.+)\]$/s.exec(body.toString()) ?? []);
    const letterId = item === undefined ? digestOf(body) : `${digestOf(body)}-0`;
    expected.letters.set(letterId, { poison, body: item === undefined ? body : Buffer.from(item) });
  }
  return body;
}

/** A message of good events with this poison among them. */
function mixedMessage(expected: Expected, poison: Poison, index: number): Buffer {
  const id = `mixed-${index}`;
  const text = String(poison.text(id, ENVELOPE));
  const before = goodTexts(expected, index % 20, ENVELOPE);
  const body = Buffer.from(`[${[...before, text, ...goodTexts(expected, 30, ENVELOPE)].join()}]`);
  if (poison.queue === 'stored') expected.stored.set(id, poison);
  else expected.letters.set(`${digestOf(body)}-${before.length}`, { poison, body: Buffer.from(text) });
  return body;
}

/** All messages of the pack, each poison alone and among others, mixed into good events. */
function* messagesOf(expected: Expected, pack: readonly Poison[]): Generator<Buffer> {
  for (const [index, poison] of pack.entries()) {
    const start = expected.good.size;
    yield aloneMessage(expected, poison, index);
    if (!poison.alone) yield mixedMessage(expected, poison, index);
    for (let count = 0; count < 5; count += 1) yield Buffer.from(goodText(expected, ENVELOPE));
    const rest = GOOD_PER_POISON - (expected.good.size - start);
    yield Buffer.from(`[${goodTexts(expected, rest, ENVELOPE).join()}]`);
  }
}

interface System {
  /** Of the database, and of the queue. */
  name: string;
  server: string;
  queue: (typeof brokers)[BrokerName];
  store: OpenStore;
  api: Program;
  worker: Program;
  url: string;
}

/** One API and one worker; the API reads what the worker stores. */
async function startSystem(broker: BrokerName, storeName: StoreName): Promise<System> {
  const name = uniqueName('e2e_poison');
  const queue = brokers[broker];
  const server = serviceUrl(queue.service);
  const store = await openFound(storeName, name);
  const ports = { API_PORT: String(await freePort()), CONSUMER_PORT: String(await freePort()) };
  const environment = {
    ...{ QUEUE_URL: queue.url(server, name), STORE_URL: store.url, QUEUE_NAME: name, LOG_LEVEL: 'warn' },
    ...{ ...NO_LIMIT, ...ports },
  };
  const [api, worker] = ['api/server.ts', 'consumer/worker.ts'].map((file) =>
    ours(runProgram(file, environment)),
  ) as [Program, Program];
  await Promise.all([ready(api, Number(ports.API_PORT)), ready(worker, Number(ports.CONSUMER_PORT))]);
  const url = `http://127.0.0.1:${ports.API_PORT}/api/v1/activities`;
  return { name, server, queue, store, api, worker, url };
}

/** All that was sent comes out as expected, from programs that are well and end in order, and nothing is left. */
async function expectEnd(system: System, expected: Expected): Promise<void> {
  const { name, server, queue, store } = system;
  await settled(store, expected);
  await expectAll(system, expected);
  await expectHealthy(system);
  expect(await queue.depth(server, name)).toBe(0);
  await queue.remove(server, name);
  await store.remove();
}

/** With other programs spinning, a worker was at the largest of the poisons for more than 30 s, without any news. */
const QUIET_MS = 90_000;

/** Waits until nothing more comes: with as many documents as are expected, or when there is no news. */
async function settled(store: OpenStore, expected: Expected): Promise<void> {
  const wanted = expected.good.size + expected.stored.size + expected.letters.size;
  let [seen, quietSince] = [-1, Date.now()];
  await until(async () => {
    const count = (await store.countActivities()) + (await store.countDeadLetters());
    if (count !== seen) [seen, quietSince] = [count, Date.now()];
    return count >= wanted || Date.now() - quietSince > QUIET_MS;
  });
}

/** Every good event is stored, every poison is one dead letter with its bytes or stored unaltered, and nothing else is there. */
async function expectAll({ store, url }: System, expected: Expected): Promise<void> {
  const faults: string[] = [];
  const ids = new Set<string>();
  for await (const { _id, payload, eventType, processing } of store.activities()) {
    const id = String(_id);
    ids.add(id);
    const n = expected.good.get(id);
    if (n === undefined && !expected.stored.has(id)) faults.push(`${id} is stored and should not be`);
    if (n !== undefined && !isDeepStrictEqual([payload, eventType], [{ n }, 'good']))
      faults.push(`${id} is altered`);
    if ((processing as { attempts: number }).attempts > ATTEMPTS_MAX)
      faults.push(`${id} was delivered too often`);
  }
  for (const id of [...expected.good.keys(), ...expected.stored.keys()]) {
    if (!ids.has(id)) faults.push(`${id} ${expected.stored.get(id)?.name ?? ''} is not stored`);
  }
  for (const [id, poison] of expected.stored) {
    const answer = await fetch(`${url}/${encodeURIComponent(id)}`);
    const difference = alteration(poison, id, await answer.text());
    if (difference) faults.push(`${id} ${poison.name}: ${difference}`);
  }
  const letters = new Map((await store.deadLetters()).map((letter) => [letter.id, letter]));
  for (const [id, { poison, body }] of expected.letters) {
    const letter = letters.get(id);
    if (!letter) faults.push(`${poison.name} is no dead letter`);
    else if (letter.reason !== poison.queue) faults.push(`${poison.name} died of ${letter.reason}`);
    else if (!body.subarray(0, LETTER_BODY_BYTES_MAX).equals(letter.body))
      faults.push(`${poison.name}: the bytes of the dead letter are others`);
    else if (letter.attempts > ATTEMPTS_MAX) faults.push(`${poison.name} was tried ${letter.attempts} times`);
  }
  for (const [id, { reason, body }] of letters) {
    if (!expected.letters.has(id))
      faults.push(`a dead letter too many: ${reason} ${String(body).slice(0, 200)}`);
  }
  expect(faults).toEqual([]);
}

/** What of an event that is read back is not as it was sent; undefined where nothing is. */
function alteration(poison: Poison, id: string, read: string): string | undefined {
  interface Shown {
    userId: string;
    timestamp: string;
    payload: unknown;
  }
  const sentText = String(poison.text(id, '')).replace(/^\ufeff/, '');
  const [sent, given] = [JSON.parse(sentText) as Shown, JSON.parse(read) as Shown];
  if (given.userId !== (poison.userId ?? sent.userId)) return `user id is ${given.userId}`;
  if (given.timestamp !== sent.timestamp) return `timestamp is ${given.timestamp}`;
  // Minus zero is the same number as zero.
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown;
  if (!isDeepStrictEqual(plain(given.payload), plain(sent.payload)))
    return `payload is ${JSON.stringify(given.payload).slice(0, 500)}`;
  const texts = [sentText, read].map((text) => numbersOf(payloadText(text)).toSorted());
  return isDeepStrictEqual(texts[0], texts[1]) ? undefined : `numbers are ${texts[1]!.slice(0, 30).join()}`;
}

/** The rest of the text from the payload on, without the metadata behind it. */
function payloadText(text: string): string {
  return text.slice(text.indexOf('"payload":')).replace(/,"source":"activities","processing":.*$/s, '');
}

/** The numbers of a JSON text, as their digits and the power of ten of the last one: `1.50` and `15e-1` are `15e-1`. */
function numbersOf(text: string): string[] {
  const bare = text.replaceAll(/\\./gs, '').replaceAll(/"[^"]*"/g, '');
  return (bare.match(/-?\d[\d.eE+-]*/g) ?? []).map((literal) => {
    const [mantissa = '', exponent = '0'] = literal.toLowerCase().split('e');
    const fraction = mantissa.split('.')[1] ?? '';
    let power = Number(exponent) - fraction.length;
    let digits = BigInt(mantissa.replace('.', ''));
    for (; digits !== 0n && digits % 10n === 0n; digits /= 10n) power += 1;
    return digits === 0n ? '0' : `${digits}e${power}`;
  });
}

/** Both programs are the ones that were started, have nothing to complain of, and end in order. */
async function expectHealthy({ api, worker }: System): Promise<void> {
  expect(await Promise.all([api.stop(), worker.stop()])).toEqual([0, 0]);
  for (const program of [api, worker]) {
    expect(errorLines(program)).toEqual([]);
    expect(
      program
        .output()
        .split('\n')
        .filter((line) => /"level":[56]0/.test(line)),
    ).toEqual([]);
  }
}

test('the comparison notices what is altered', () => {
  const poison: Poison = {
    ...{ name: '', queue: 'stored', alone: false },
    text: (id) =>
      `{"eventId":"${id}","userId":"u","timestamp":"t","payload":{"a":[1.50,-0,1e2,"\\"5"],"b":0.1}}`,
  };
  const read =
    '{"eventId":"x","userId":"u","timestamp":"t","payload":{"a":[1.5,0,100,"\\"5"],"b":0.1},"source":"activities","processing":{"attempts":1}}';
  expect(alteration(poison, 'x', read)).toBeUndefined();
  for (const [from, to] of [
    ['1.5', '1.4'],
    ['0.1', '0.10000000000000000001'],
    ['\\"5', '5'],
    ['"b"', '"c"'],
    ['"u"', '"v"'],
    ['"t"', '"s"'],
  ] as const) {
    expect([to, alteration(poison, 'x', read.replace(from, to))]).toEqual([to, expect.any(String)]);
  }
});

// Every store has the same list of what is accepted and what is refused.
describe.each(Object.keys(stores) as StoreName[])('with %s', (store) => {
  describeWith(['rabbitmq', stores[store].service], `the poison pack, stored in ${store},`, () => {
    test(
      'sent to the API is refused by name, alone and in a batch, and what is good is stored as it is',
      async () => {
        const system = await startSystem('rabbitmq', store);
        const agent = new Agent({ keepAlive: true, maxSockets: 8 });
        const expected = nothing();
        const faults: string[] = [];
        const post = (path: '' | '/batch', body: string | Buffer) =>
          send(agent, system.url + path, {
            ...{ path, headers: { 'content-type': 'application/json' }, body: Buffer.from(body), events: [] },
          });
        const judge = (poison: Poison, how: string, given: unknown, wanted: unknown) => {
          if (!isDeepStrictEqual(given, wanted))
            faults.push(
              `${poison.name} ${how}: ${JSON.stringify(given)} instead of ${JSON.stringify(wanted)}`,
            );
        };
        const fieldsOf = (details: unknown) => (details as { field: string }[]).map(({ field }) => field);

        const inHttp = poisons.filter(({ http }) => http !== undefined);
        await Promise.all(
          inHttp.map(async (poison, index) => {
            const { http } = poison;
            const id = `alone-${index}`;
            const single = await post('', poison.text(id, ''));
            if (http === 'stored') {
              expected.stored.set(id, poison);
              judge(poison, 'alone', [single.status, single.body.eventId], [202, id]);
            } else {
              judge(poison, 'alone', [single.status, single.body.code], [http?.status, http?.code]);
              if (http?.field !== undefined)
                judge(poison, 'alone', fieldsOf(single.body.details), [http.field]);
            }

            const place = index % GOOD_PER_POISON;
            const texts = goodTexts(expected, GOOD_PER_POISON);
            if (poison.alone) {
              judge(poison, 'beside', (await post('/batch', `[${texts.join()}]`)).status, 202);
              return;
            }
            const inBatch = `batch-${index}`;
            texts.splice(place, 0, String(poison.text(inBatch, '')));
            const { status, body } = await post('/batch', `[${texts.join()}]`);
            const rejected = body.rejected as { index: number; details: unknown }[];
            if (http === 'stored') {
              expected.stored.set(inBatch, poison);
              judge(poison, 'in a batch', [status, rejected], [202, []]);
            } else {
              judge(poison, 'in a batch', [status, rejected.map((one) => one.index)], [202, [place]]);
              if (http?.field !== undefined)
                judge(poison, 'in a batch', fieldsOf(rejected[0]?.details), [http.field]);
            }
          }),
        );
        agent.destroy();
        expect(faults).toEqual([]);
        await expectEnd(system, expected);
      },
      TIMEOUT_MS,
    );

    test(
      'straight on the RabbitMQ queue becomes one dead letter each, and what is good is stored as it is',
      async () => {
        const system = await startSystem('rabbitmq', store);
        const expected = nothing();
        const connection = await connect(serviceUrl('rabbitmq'));
        const channel = await connection.createConfirmChannel();
        let count = 0;
        for (const message of messagesOf(expected, poisons)) {
          // Whoever publishes may also say anything in the headers.
          const headers = count % 10 === 0 ? { 'x-delivery-count': 'many' } : {};
          channel.sendToQueue(system.name, message, { persistent: true, headers });
          if (++count % 200 === 0) await channel.waitForConfirms();
        }
        await channel.waitForConfirms();
        await connection.close();
        await expectEnd(system, expected);
      },
      TIMEOUT_MS,
    );
  });
});

describeWith('mongodb', 'the poison pack', () => {
  test(
    'straight into the MongoDB queue becomes one dead letter each, and what is good is stored as it is',
    async () => {
      const system = await startSystem('mongodb-queue', 'mongodb');
      const { name, server, queue: kind } = system;
      const expected = nothing();
      const db = openDb(server, new URL(kind.url(server, name)).pathname.slice(1));
      const queue = db.collection<object>(name);
      // No document is larger than 16 MiB, and so is no message here.
      const pack = poisons.filter(({ text }) => text('', ENVELOPE).length < 15 * 1024 * 1024);
      let waiting: object[] = [];
      for (const body of messagesOf(expected, pack)) {
        waiting.push({ _id: uniqueName('m'), body, visibleAt: 0, attempts: 0 });
        if (waiting.length < 500) continue;
        await queue.insertMany(waiting);
        waiting = [];
      }
      const letter = (body: string, reason: Poison['queue'] = 'invalid-json') =>
        expected.letters.set(digestOf(Buffer.from(body)), {
          poison: { name: `document with ${body}`, queue: reason },
          body: Buffer.from(body),
        });
      // Documents that our program would not make.
      waiting.push({ _id: new ObjectId(), body: goodText(expected, ENVELOPE), visibleAt: 0, attempts: 0 });
      waiting.push({ visibleAt: 0, attempts: 0 });
      letter('undefined');
      waiting.push({ body: 'text', visibleAt: 0 });
      letter('text');
      waiting.push({ body: 17, visibleAt: 0, attempts: 'many' });
      letter('17', 'invalid-event');
      await queue.insertMany(waiting);
      await expectEnd(system, expected);
    },
    TIMEOUT_MS,
  );
});

describeWith(['kafka', 'mongodb'], 'the poison pack', () => {
  test(
    'straight onto the Kafka topic becomes one dead letter each, and what is good is stored as it is',
    async () => {
      const system = await startSystem('kafka', 'mongodb');
      const expected = nothing();
      const kafka = new Kafka({
        brokers: [system.server.replace('kafka://', '')],
        logLevel: logLevel.NOTHING,
      });
      const producer = kafka.producer({ allowAutoTopicCreation: false });
      await producer.connect();
      const pack = poisons.filter(({ text }) => text('', ENVELOPE).length < RECORD_BYTES_MAX);
      let waiting: { key: string | null; value: Buffer | null; headers?: Record<string, string> }[] = [];
      const sendWaiting = async () => {
        await producer.send({ topic: system.name, acks: -1, messages: waiting });
        waiting = [];
      };
      let [count, bytes] = [0, 0];
      for (const value of messagesOf(expected, pack)) {
        if (bytes + value.length > RECORD_BYTES_MAX) {
          await sendWaiting();
          bytes = 0;
        }
        bytes += value.length;
        count += 1;
        // Whoever publishes may also use any key and say anything in the headers.
        const key = count % 10 === 0 ? null : String(count % 7);
        waiting.push({ key, value, ...(count % 10 === 1 && { headers: { 'x-delivery-count': 'many' } }) });
      }
      await sendWaiting();
      await producer.disconnect();
      await expectEnd(system, expected);
    },
    TIMEOUT_MS,
  );
});
