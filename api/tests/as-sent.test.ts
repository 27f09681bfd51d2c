import { gzipSync } from 'node:zlib';
import { type ActivityEvent, parseEvent } from '@event-tracker/shared/event';
import { type AsSent, readMessage } from '@event-tracker/shared/message';
import { createMemoryQueue } from '@event-tracker/shared/queue/memory';
import { ACTIVITIES, activity, BATCH, createTestApi, FakeQueue, postRaw } from './support.ts';

/** Keeps the messages too that a driver would put on the queue. */
class PackingQueue extends FakeQueue {
  readonly bodies: Buffer[] = [];
  readonly #memory = createMemoryQueue();

  constructor() {
    super();
    const keep = ({ body }: { body: Buffer }) => {
      this.bodies.push(body);
      return Promise.resolve('ack' as const);
    };
    void this.#memory.consume(keep, { prefetch: 100, retryDelayMs: 1 });
  }

  override async publish(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void> {
    await super.publish(events);
    await this.#memory.publish(events, asSent);
  }
}

const timestamp = '2023-10-27T10:00:00.000Z';
const one = activity({ timestamp });
const json = JSON.stringify(one);
const text = (changes: Record<string, unknown>) => JSON.stringify({ ...one, ...changes });
const array = (...items: string[]) => `[${items.join(', ')}]`;

interface Sent {
  body: string;
  path?: string;
  headers?: Record<string, string>;
}

/** Sends it, and tells what is on the queue: the same events, however they are written. */
async function send({ body, path = ACTIVITIES, headers = {} }: Sent) {
  const queue = new PackingQueue();
  const { app } = createTestApi({}, { queue });
  const isGzip = headers['Content-Encoding'] === 'gzip';
  const { status } = await postRaw(app, isGzip ? gzipSync(body) : body, headers, path);
  expect([status, queue.bodies.length]).toEqual([path === '/events/generate' ? 201 : 202, 1]);
  const message = queue.bodies[0]!.toString();
  const { events } = readMessage(queue.bodies[0]!);
  expect(events).toEqual(queue.events);
  expect(events.map((event) => parseEvent(event).ok)).toEqual(events.map(() => true));
  // What is said of an event behind a client's bytes is the message's end, but for an array.
  const isAsSent = message.startsWith(body.startsWith('[') ? `{"batch":${body},` : `${body.slice(0, -1)},`);
  return { isAsSent, message, events: queue.events };
}

const gzip = { 'Content-Encoding': 'gzip' };
const key = { 'Idempotency-Key': 'key' };
const twice = json.replace('"userId":', '"userId":"in vain", "userId" :');
const escaped = json.replace('"eventType"', String.raw`"\u0065ventType"`);
const numbers = text({}).replace('"payload":{', '"payload":{"n":[1.0,1e2,0.1e1,-5E-1],');

describe('On the queue are the bytes of the client', () => {
  it.each<[string, Sent]>([
    ['an event', { body: json }],
    ['an event with spaces', { body: JSON.stringify(one, null, '\t') }],
    ['an event whose keys come twice', { body: twice }],
    ['an event with an escape in a key', { body: escaped }],
    ['an event with numbers in many forms', { body: numbers }],
    ['an event whose payload names our fields', { body: text({ payload: { eventId: 1, batch: ['],'] } }) }],
    ['an event in gzip', { body: json, headers: gzip }],
    ['an event with an Idempotency-Key', { body: json, headers: key }],
    ['an array', { body: array(json, json), path: BATCH }],
    ['an array with all of these', { body: array(json, twice, escaped, numbers), path: BATCH }],
    ['an array in gzip', { body: array(json, json), path: BATCH, headers: gzip }],
    ['an array with an Idempotency-Key', { body: array(json, json), path: BATCH, headers: key }],
    [
      'an array of as many events as a message holds',
      { body: array(...Array<string>(500).fill(json)), path: BATCH },
    ],
  ])('of %s', async (_name, sent) => {
    expect((await send(sent)).isAsSent).toBe(true);
  });
});

const bom = '\ufeff';
const local = text({ timestamp: '2023-10-27T12:00:00+02:00' });
const tracked = { user_id: 'u', event_type: 't', timestamp, metadata: {} };
const { userId, eventType, payload } = one;

describe('On the queue is written anew', () => {
  it.each<[string, Sent]>([
    ['an event behind a byte order mark', { body: bom + json }],
    ['an event behind a space', { body: ` ${json}` }],
    ['an event before the end of a line', { body: `${json}\n` }],
    ['an event with an eventId', { body: text({ eventId: 'own' }) }],
    ['an event with an id', { body: text({ id: 'own' }) }],
    ['an event with an eventId and an Idempotency-Key', { body: text({ eventId: 'own' }), headers: key }],
    ['an event with a number as userId', { body: text({ userId: 7 }) }],
    ['an event without milliseconds', { body: text({ timestamp: '2023-10-27T10:00:00Z' }) }],
    ['an event of a time with a zone', { body: local }],
    ['an event without a payload', { body: text({ payload: undefined }) }],
    ['an array behind a byte order mark', { body: bom + array(json, json), path: BATCH }],
    ['an array behind a space', { body: ` ${array(json, json)}`, path: BATCH }],
    ['an array before the end of a line', { body: `${array(json, json)}\n`, path: BATCH }],
    ['an array of one event', { body: array(json), path: BATCH }],
    ['an array of one event with an Idempotency-Key', { body: array(json), path: BATCH, headers: key }],
    ['an array with an eventId', { body: array(json, text({ eventId: 'own' })), path: BATCH }],
    ['an array with an id', { body: array(text({ id: 'own' }), json), path: BATCH }],
    ['an array with a number as userId', { body: array(json, text({ userId: 7 })), path: BATCH }],
    ['an array with a time with a zone', { body: array(json, local, json), path: BATCH }],
    [
      'an array with an event without a payload',
      { body: array(json, text({ payload: undefined })), path: BATCH },
    ],
    ['an array with a bad event', { body: array(json, text({ userId: '' }), json), path: BATCH }],
    ['an array with a bad event at its end', { body: array(json, json, 'null'), path: BATCH }],
    ['{events}', { body: `{"events":${array(json, json)}}`, path: BATCH }],
    ['{events, sentAt}', { body: `{"events":${array(json, json)},"sentAt":"${timestamp}"}`, path: BATCH }],
    ['an event of another client', { body: JSON.stringify(tracked), path: '/api/v1/events/track' }],
    [
      'an event of another client without a time',
      { body: JSON.stringify({ userId, eventType, payload }), path: '/events/generate' },
    ],
  ])('%s', async (_name, sent) => {
    const { isAsSent, message, events } = await send(sent);
    expect(isAsSent).toBe(false);
    expect(JSON.parse(message)).toEqual(events.length === 1 ? events[0] : events);
  });
});

it('takes of keys that come twice the last, as they are taken anywhere', async () => {
  const { events } = await send({ body: array(twice, json), path: BATCH });
  expect(events.map((event) => event.userId)).toEqual([userId, userId]);
});

it('has the ids that an Idempotency-Key makes, in the order of the events', async () => {
  const batch = await send({ body: array(json, json, json), path: BATCH, headers: key });
  expect(batch.events.map(({ eventId }) => eventId)).toEqual(['key-0', 'key-1', 'key-2']);
  expect((await send({ body: json, headers: key })).events[0]?.eventId).toBe('key');
});

it('refuses what it has always refused: a field of ours beside those of the client', async () => {
  for (const name of ['source', 'receivedAt', 'requestId', 'ip', 'userAgent', '__proto__', 'batch']) {
    const queue = new PackingQueue();
    const { app } = createTestApi({}, { queue });
    const body = `{${JSON.stringify(name)}:"x",${json.slice(1)}`;
    expect((await postRaw(app, body)).status).toBe(400);
    expect((await postRaw(app, array(body, body), {}, BATCH)).status).toBe(400);
    expect(queue.bodies).toEqual([]);
  }
});
