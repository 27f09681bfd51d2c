import { type ActivityEvent } from '@event-tracker/shared/event';
import { packBatch, readMessage } from '@event-tracker/shared/message';
import { type Message } from '@event-tracker/shared/queue/queue';
import { createBackoff } from '../services/backoff.ts';
import { Batcher } from '../services/batcher.ts';
import { createProcessor, EVENTS_MAX } from '../services/processor.ts';
import { createMemoryStore } from '../store/memory.ts';
import { until } from '../../tools/services/in-tests.ts';
import { allDead, anEvent, silent } from './events.ts';

function setUp() {
  const store = createMemoryStore('tester');
  const backoff = createBackoff(5, silent);
  const batcher = new Batcher(store, backoff, { batchSizeMax: 100, writesInFlightMax: 2 });
  const handle = createProcessor(store, batcher, backoff, 'tester');
  const send = (body: unknown, rest: Partial<Message> = {}) =>
    handle({
      body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
      attempts: 1,
      redelivered: false,
      ...rest,
    });
  return { store, backoff, handle, send };
}

test('an event is stored with what the queue knows of it', async () => {
  const { store, send } = setUp();
  expect(await send(anEvent({ eventId: 'a' }), { attempts: 4, redelivered: true })).toBe('ack');
  expect((await store.get('a'))?.processing).toMatchObject({ attempts: 4, redelivered: true });
});

test('a redelivery is a duplicate and acknowledged', async () => {
  const { store, send } = setUp();
  const event = anEvent();
  expect(await send(event)).toBe('ack');
  expect(await send(event, { attempts: 2, redelivered: true })).toBe('ack');
  expect(await store.list({ limit: 10 })).toHaveLength(1);
  expect(await allDead(store)).toEqual([]);
});

test.each<[string, Buffer]>([
  ['no JSON', Buffer.from('hello')],
  ['nothing', Buffer.alloc(0)],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ['half an event', Buffer.from('{"eventId":"a"')],
])('%s is a dead letter of exactly these bytes', async (_title, body) => {
  const { store, send } = setUp();
  expect(await send(body, { attempts: 3 })).toBe('dead');
  const letters = await allDead(store);
  expect(letters).toHaveLength(1);
  expect(letters[0]).toMatchObject({
    reason: 'invalid-json',
    error: expect.stringMatching(/./) as string,
    eventId: null,
    eventType: null,
    attempts: 3,
    worker: 'tester',
  });
  expect(letters[0]?.body.equals(body)).toBe(true);
});

test.each<[string, unknown]>([
  ['a number', 42],
  ['null', null],
  ['a text', 'event'],
  ['an object of another kind', { hello: 'world' }],
  ['an array of arrays', [[]]],
])('%s is an invalid event', async (_title, body) => {
  const { store, send } = setUp();
  expect(await send(body)).toBe('dead');
  expect(await allDead(store)).toMatchObject([{ reason: 'invalid-event' }]);
});

test('an empty array is a dead letter: it would be gone without a trace', async () => {
  const { store, send } = setUp();
  expect(await send([])).toBe('dead');
  expect(await allDead(store)).toMatchObject([{ reason: 'invalid-event', body: Buffer.from('[]') }]);
});

test('the letter of a wrong event names every fault, and the event where it can', async () => {
  const { store, send } = setUp();
  const { userId, ...rest } = anEvent({ eventId: 'wrong', timestamp: 'yesterday' });
  expect(await send(rest)).toBe('dead');
  const [letter] = await allDead(store);
  expect(letter).toMatchObject({ reason: 'invalid-event', eventId: 'wrong', eventType: 'page_view' });
  expect(letter?.details.map(({ field }) => field).sort()).toEqual(['timestamp', 'userId']);
  expect(letter?.error).toMatch(/userId.*timestamp|timestamp.*userId/);
  expect(userId).toBe('user-1');
});

test('of an array the good events are stored and the bad ones are letters of their own', async () => {
  const { store, send } = setUp();
  store.rejects.add('refused');
  const events = [
    anEvent({ eventId: 'good' }),
    { eventId: 'shapeless' },
    anEvent({ eventId: 'refused' }),
    anEvent({ eventId: 'fine' }),
  ];
  expect(await send(events)).toBe('ack');
  expect((await store.list({ limit: 10 })).map(({ eventId }) => eventId).sort()).toEqual(['fine', 'good']);
  const letters = (await allDead(store)).sort((a, b) => a.id.localeCompare(b.id));
  expect(letters).toMatchObject([
    { reason: 'invalid-event', eventId: 'shapeless' },
    { reason: 'rejected-by-store', eventId: 'refused', error: 'rejected by the test' },
  ]);
  expect(letters.map(({ body }) => JSON.parse(body.toString()) as unknown)).toEqual([events[1], events[2]]);
});

test('when all of an array are dead letters, so is the message', async () => {
  const { store, send } = setUp();
  expect(await send([{ a: 1 }, { a: 1 }])).toBe('dead');
  expect(await allDead(store)).toHaveLength(2);
});

/** The message of a batch as its client sent it; the API would have refused some of these. */
function aBatch(eventIds: string[], said: string[]): Buffer {
  const bytes = Buffer.from(`[${said.join(',\n ')}]`);
  return packBatch({ bytes, eventIds: JSON.stringify(eventIds) }, anEvent({}));
}

const said = (changes: Partial<ActivityEvent> = {}) => {
  const { userId, eventType, timestamp, payload } = anEvent(changes);
  return JSON.stringify({ userId, eventType, timestamp, payload }, null, 1);
};

test('the events of a batch as it was sent are stored, each with what the API said of all', async () => {
  const { store, send } = setUp();
  const body = aBatch(['a', 'b'], [said({ userId: 'ada' }), said({ userId: 'bob' })]);
  expect(await send(body, { attempts: 2, redelivered: true })).toBe('ack');
  for (const [eventId, userId] of [
    ['a', 'ada'],
    ['b', 'bob'],
  ] as const) {
    const { receivedAt, requestId, ip, userAgent } = anEvent();
    expect(await store.get(eventId)).toMatchObject({
      ...{ eventId, userId, eventType: 'page_view', source: 'activities', payload: anEvent().payload },
      processing: {
        receivedAt: new Date(receivedAt),
        requestId,
        ip,
        userAgent,
        attempts: 2,
        redelivered: true,
      },
    });
  }
  expect(await allDead(store)).toEqual([]);
});

test('of a batch as it was sent the bad events are letters of their own, to be replayed as they are', async () => {
  const { store, send } = setUp();
  store.rejects.add('refused');
  const texts = [said(), said({ eventType: '' }), said({ payload: { n: 1.5, s: '}],{' } }), said()];
  const body = aBatch(['good', 'bad', 'refused', 'fine'], texts);
  expect(await send(body)).toBe('ack');
  expect((await store.list({ limit: 10 })).map(({ eventId }) => eventId).sort()).toEqual(['fine', 'good']);
  const letters = (await allDead(store)).sort((a, b) => a.id.localeCompare(b.id));
  expect(letters).toMatchObject([
    {
      reason: 'invalid-event',
      eventId: 'bad',
      error: 'eventType must not be empty',
      details: [{ field: 'eventType', message: 'must not be empty' }],
    },
    { reason: 'rejected-by-store', eventId: 'refused', error: 'rejected by the test', details: [] },
  ]);
  expect(letters.map(({ id }) => id.split('-')[1])).toEqual(['1', '2']);
  const events = readMessage(body).events;
  for (const [letter, index] of [
    [letters[0], 1],
    [letters[1], 2],
  ] as const) {
    expect(letter?.body.toString()).toContain(texts[index]!.slice(0, -1));
    expect(JSON.parse(String(letter?.body))).toEqual(events[index]);
  }
  store.rejects.clear();
  expect(await send(letters[1]?.body)).toBe('ack');
  expect((await store.get('refused'))?.payload).toEqual({ n: 1.5, s: '}],{' });
});

test('when all of a batch as it was sent are dead letters, so is the message', async () => {
  const { store, send } = setUp();
  expect(await send(aBatch(['a', 'b'], ['{}', '{"userId":7}']))).toBe('dead');
  expect((await allDead(store)).map(({ eventId }) => eventId).sort()).toEqual(['a', 'b']);
});

test.each([
  ['a text in place of an event', (body: string) => body.replace('{}', '"}"')],
  ['an id that is none', (body: string) => body.replace('"b"', 'null')],
  ['another number of ids', (body: string) => body.replace(',"b"', '')],
  ['spaces before it', (body: string) => ` ${body}`],
])('what is like a batch, with %s, is one dead letter of exactly these bytes', async (_title, alter) => {
  const { store, send } = setUp();
  const body = Buffer.from(alter(aBatch(['a', 'b'], [said(), '{}']).toString()));
  expect(await send(body)).toBe('dead');
  const letters = await allDead(store);
  expect(letters).toMatchObject([{ reason: 'invalid-event', eventId: null }]);
  expect(letters[0]?.body.equals(body)).toBe(true);
});

test('a batch of no events is a dead letter: it would be gone without a trace', async () => {
  const { store, send } = setUp();
  const body = aBatch(['a'], []).toString().replace('"a"', '');
  expect(await send(Buffer.from(body))).toBe('dead');
  expect(await allDead(store)).toMatchObject([
    {
      reason: 'invalid-event',
      error: expect.stringContaining('0 events') as string,
      body: Buffer.from(body),
    },
  ]);
});

test('a bad event of a message that says batch twice takes all its bytes along', async () => {
  const { store, send } = setUp();
  const text = aBatch(['a'], [said()]).toString();
  const body = Buffer.from(text.replace('"eventIds"', '"batch":[{"lost":true}],"eventIds"'));
  expect(await send(body)).toBe('dead');
  expect((await allDead(store)).map((letter) => letter.body.equals(body))).toEqual([true]);
});

test('a redelivery leaves one dead letter, that of the last delivery', async () => {
  const { store, send } = setUp();
  for (const body of [{ a: 1 }, [{ a: 1 }, anEvent({ eventId: 'x' }), { b: 2 }], Buffer.from('{')]) {
    await send(body);
    await send(body, { attempts: 2, redelivered: true });
  }
  const letters = await allDead(store);
  expect(letters).toHaveLength(4);
  expect(letters.every(({ attempts }) => attempts === 2)).toBe(true);
});

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const withPayload = (payload: string) =>
  JSON.stringify(anEvent({ payload: {} })).replace('"payload":{}', `"payload":${payload}`);

test.each<[string, string]>([
  ['_bsontype', withPayload('{"_bsontype":"ObjectId"}')],
  ['__proto__', withPayload('{"__proto__":{"admin":true}}')],
  ['NUL in a key', withPayload('{"a\\u0000b":1}')],
  ['NUL in a text', withPayload('{"a":"\\u0000"}')],
  ['a lone surrogate', withPayload('{"a":"\\ud800"}')],
  ['2^63', withPayload('{"a":9223372036854775807}')],
  ['1e400', withPayload('{"a":1e400}')],
  ['a hundred levels', withPayload(deep(100))],
  ['a hundred thousand levels', withPayload(deep(100_000))],
  ['an id that is no text', JSON.stringify({ ...anEvent(), eventId: { $gt: '' } })],
  ['an endless id', JSON.stringify({ ...anEvent(), eventId: 'x'.repeat(100_000) })],
  [
    'a field of another kind, with a name that no store takes',
    JSON.stringify({ ...anEvent(), ['\0'.repeat(9999)]: 1 }),
  ],
])('%s is a dead letter, alone and beside others, and its bytes are kept', async (_title, json) => {
  const { store, send } = setUp();
  expect(await send(Buffer.from(json))).toBe('dead');
  const [letter] = await allDead(store);
  expect(letter?.reason).toBe('invalid-event');
  expect(letter?.body.toString()).toBe(json);
  expect(letter?.details.length).toBeGreaterThan(0);
  expect(JSON.stringify([letter?.error, letter?.details, letter?.eventId])).not.toMatch(/\\u0000|\\ud800/);

  expect(await send(Buffer.from(`[${json},${JSON.stringify(anEvent({ eventId: 'neighbour' }))}]`))).toBe(
    'ack',
  );
  expect(await store.get('neighbour')).not.toBeNull();
  const inArray = (await allDead(store)).find(({ id }) => id !== letter?.id);
  expect(inArray?.body.toString()).toBe(json);
});

test('a flood of faults makes a letter of bounded size', async () => {
  const { store, send } = setUp();
  const flood = Object.fromEntries(
    Array.from({ length: 5000 }, (_, index) => [`${'k'.repeat(2000)}${index}`, 1]),
  );
  await send({ ...anEvent(), ...flood });
  const [letter] = await store.listDead({ limit: 1 });
  expect(JSON.stringify([letter?.error, letter?.details]).length).toBeLessThan(100_000);
});

test('a message of more events than a batch ever has is one dead letter, not thousands', async () => {
  const { store, send } = setUp();
  expect(await send(Array(EVENTS_MAX).fill(0))).toBe('dead');
  expect(await store.listDead({ limit: EVENTS_MAX * 2 })).toHaveLength(EVENTS_MAX);
  const body = Buffer.from(`[${'0,'.repeat(1_000_000)}0]`);
  expect(await send(body)).toBe('dead');
  expect((await allDead(store)).find(({ id }) => !id.includes('-'))).toMatchObject({
    reason: 'invalid-event',
    body,
  });
});

test('sixteen megabytes of escapes beside a long number are one dead letter or one event', async () => {
  const { store, send } = setUp();
  const escapes = '\\n'.repeat(8_000_000);
  expect(await send(Buffer.from(`["${escapes}",1234567890123456]`))).toBe('dead');
  const event = anEvent({ eventId: 'escapes', payload: { n: 1234567890123456 } });
  const json = JSON.stringify(event).replace('"payload":{', `"payload":{"s":"${escapes}",`);
  expect(await send(Buffer.from(json))).toBe('ack');
  expect((await store.get('escapes'))?.payload).toEqual({ s: '\n'.repeat(8_000_000), n: 1234567890123456 });
});

test.each(['source', 'requestId', 'ip', 'userAgent'])(
  'what a store would alter is a dead letter in %s too',
  async (field) => {
    for (const text of ['a\0b', '\ud800']) {
      const { store, send } = setUp();
      expect(await send({ ...anEvent(), [field]: text })).toBe('dead');
      expect((await store.listDead({ limit: 1 }))[0]?.details).toMatchObject([{ field }]);
    }
  },
);

test('a million unknown fields are one dead letter', async () => {
  const { store, send } = setUp();
  const fields = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, index) => [`k${index}`, 1]));
  expect(await send({ ...anEvent(), ...fields })).toBe('dead');
  expect((await store.listDead({ limit: 1 }))[0]?.details).toHaveLength(20);
});

test('a store that is away makes no dead letters: message and letter wait for it', async () => {
  const { store, send } = setUp();
  store.away = true;
  const verdicts: string[] = [];
  const all = [anEvent({ eventId: 'patient' }), { a: 1 }].map(async (body) =>
    verdicts.push(await send(body)),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(verdicts).toEqual([]);
  store.away = false;
  await Promise.all(all);
  expect(verdicts.sort()).toEqual(['ack', 'dead']);
  expect(await store.get('patient')).not.toBeNull();
  expect(await allDead(store)).toHaveLength(1);
});

test('stopping while the store is away gives the messages back', async () => {
  const { store, backoff, send } = setUp();
  store.away = true;
  const all = Promise.all([send(anEvent()), send({ a: 1 }), send([anEvent(), { a: 1 }])]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  backoff.stop();
  expect(await all).toEqual(['retry', 'retry', 'retry']);
  store.away = false;
  expect(await allDead(store)).toEqual([]);
});

test('an unexpected error is thrown, for the queue to retry and to log', async () => {
  const { store, send } = setUp();
  jest.spyOn(store, 'save').mockRejectedValue(new TypeError('bug'));
  await expect(send(anEvent())).rejects.toThrow('bug');
  await expect(send([anEvent(), { a: 1 }])).rejects.toThrow('bug');
  await until(async () => (await store.listDead({ limit: 1 })).length === 0);
});
