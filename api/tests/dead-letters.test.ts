import request from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { DEAD_LETTER_REASONS, type DeadLetter } from '@event-tracker/consumer/store/store';
import { QueueUnavailable } from '@event-tracker/shared/errors';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { packBatch, readMessage } from '@event-tracker/shared/message';
import {
  activity,
  ADMIN_KEY,
  createTestApi,
  DEAD_LETTERS,
  expectProblem,
  fieldsOf,
  getAsAdmin,
  type TestApi,
} from './support.ts';

const minute = (count: number) => new Date(Date.UTC(2024, 0, 1, 10, count));

const queued: ActivityEvent = {
  eventId: 'order-1',
  userId: 'ada',
  eventType: 'order_paid',
  timestamp: '2023-10-27T10:00:00.000Z',
  payload: { amount: 7 },
  source: 'activities',
  receivedAt: '2023-10-27T10:00:01.000Z',
  requestId: 'request-1',
  ip: '203.0.113.7',
  userAgent: 'the-test/1.0',
};

function aLetter(changes: Partial<DeadLetter> = {}, body: unknown = queued): DeadLetter {
  return {
    id: 'letter-1',
    reason: 'rejected-by-store',
    error: 'refused',
    details: [],
    body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
    eventId: (body as ActivityEvent).eventId ?? null,
    eventType: (body as ActivityEvent).eventType ?? null,
    attempts: 1,
    diedAt: minute(0),
    worker: 'worker-1',
    ...changes,
  };
}

async function apiWith(...letters: DeadLetter[]): Promise<TestApi> {
  const api = createTestApi();
  await api.store.recordDead(letters);
  return api;
}

const idsKept = async ({ store }: TestApi) => (await store.listDead({ limit: 500 })).map(({ id }) => id);

function send({ app }: TestApi, path: string, body?: unknown) {
  const post = request(app).post(`${DEAD_LETTERS}${path}`).set('Authorization', `Bearer ${ADMIN_KEY}`);
  if (body === undefined) return post;
  return post.set('Content-Type', 'application/json').send(JSON.stringify(body));
}

describe('GET /api/v1/dead-letters', () => {
  const letters = [
    aLetter({ id: 'a', diedAt: minute(1) }),
    aLetter({ id: 'b', diedAt: minute(2), reason: 'invalid-event', eventType: 'login' }),
    aLetter({ id: 'c', diedAt: minute(3), reason: 'crash-loop', eventType: null, eventId: null }),
    aLetter({ id: 'd', diedAt: minute(3), eventType: 'login' }),
  ];

  it('answers with the letters, newest first, without their bodies', async () => {
    const { app } = await apiWith(...letters);
    const shown = (await getAsAdmin(app, DEAD_LETTERS)).body as {
      deadLetters: { id: string }[];
      nextCursor: null;
    };
    expect(shown.deadLetters.map(({ id }) => id)).toEqual(['d', 'c', 'b', 'a']);
    expect(shown.nextCursor).toBeNull();
    expect(shown.deadLetters[3]).toEqual({
      id: 'a',
      reason: 'rejected-by-store',
      error: 'refused',
      details: [],
      eventId: 'order-1',
      eventType: 'order_paid',
      attempts: 1,
      diedAt: minute(1).toISOString(),
      worker: 'worker-1',
    });
  });

  it.each([
    ['reason', { reason: 'crash-loop' }, ['c']],
    ['event type', { eventType: 'login' }, ['d', 'b']],
    ['both', { eventType: 'login', reason: 'invalid-event' }, ['b']],
    ['time', { from: minute(2).toISOString(), to: minute(3).toISOString() }, ['b']],
    ['limit', { limit: 2 }, ['d', 'c']],
  ])('filters by %s', async (_name, query, ids) => {
    const { app } = await apiWith(...letters);
    const page = (await getAsAdmin(app, DEAD_LETTERS).query(query)).body as { deadLetters: { id: string }[] };
    expect(page.deadLetters.map(({ id }) => id)).toEqual(ids);
  });

  it.each([1, 2, 3, 4, 500])('walks in pages of %i over all letters', async (limit) => {
    const { app } = await apiWith(...letters);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = (await getAsAdmin(app, DEAD_LETTERS).query({ limit, ...(cursor && { cursor }) })).body as {
        deadLetters: { id: string }[];
        nextCursor: string | null;
      };
      seen.push(...page.deadLetters.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null && seen.length < 10);
    expect(seen).toEqual(['d', 'c', 'b', 'a']);
  });

  it('names every wrong parameter', async () => {
    const { app } = await apiWith();
    const path = `${DEAD_LETTERS}?reason=bad&eventType=&from=x&to=y&limit=501&cursor=z&userId=a`;
    const fields = ['cursor', 'eventType', 'from', 'limit', 'reason', 'to', 'userId'];
    expect(fieldsOf(await getAsAdmin(app, path), 'invalid-query').sort()).toEqual(fields);
    for (const reason of DEAD_LETTER_REASONS) {
      expect((await getAsAdmin(app, `${DEAD_LETTERS}?reason=${reason}`)).status).toBe(200);
    }
  });
});

describe('GET /api/v1/dead-letters/:id', () => {
  it.each([
    ['text', Buffer.from('{"a":"ü😀"'), '{"a":"ü😀"', null],
    ['text with a byte order mark', Buffer.from('\ufeff{}'), '\ufeff{}', null],
    ['nothing', Buffer.alloc(0), '', null],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), null, 'Iv8i'],
  ])('shows a body that is %s', async (_name, bytes, body, bodyBase64) => {
    const { app } = await apiWith(aLetter({ reason: 'invalid-json' }, bytes));
    const response = await getAsAdmin(app, `${DEAD_LETTERS}/letter-1`);
    expect(response.body).toMatchObject({ id: 'letter-1', reason: 'invalid-json', body, bodyBase64 });
  });

  it('answers 404 for a letter that is not kept', async () => {
    const { app } = await apiWith();
    expectProblem(await getAsAdmin(app, `${DEAD_LETTERS}/nobody`), 'not-found');
  });
});

describe('POST /api/v1/dead-letters/:id/replay', () => {
  it('queues the event as it was, then removes the letter', async () => {
    const api = await apiWith(aLetter());
    const response = await send(api, '/letter-1/replay');
    expect([response.status, response.body]).toEqual([202, { status: 'accepted', eventIds: ['order-1'] }]);
    expect(api.queue.events).toEqual([queued]);
    expect(await idsKept(api)).toEqual([]);
    expectProblem(await send(api, '/letter-1/replay'), 'not-found');
  });

  it('takes an edited event in its place, as a client would send it, and keeps the id', async () => {
    const api = await apiWith(aLetter({ reason: 'invalid-event' }, { ...queued, timestamp: 'yesterday' }));
    const response = await send(api, '/letter-1/replay', activity({ userId: 17 }));
    expect(response.status).toBe(202);
    expect(api.queue.events).toEqual([
      {
        ...activity({ userId: '17', timestamp: '2023-10-27T10:00:00.000Z' }),
        eventId: 'order-1',
        source: 'dead-letter',
        receivedAt: minute(0).toISOString(),
        requestId: null,
        ip: null,
        userAgent: null,
      },
    ]);
  });

  it('takes an edited event as it is on the queue', async () => {
    const api = await apiWith(aLetter({}, Buffer.from('{')));
    expect((await send(api, '/letter-1/replay', queued)).status).toBe(202);
    expect(api.queue.events).toEqual([queued]);
  });

  it('gives an event without an id the same one each time', async () => {
    const { eventId, ...anonymous } = queued;
    const letter = aLetter({ reason: 'invalid-event' }, anonymous);
    const api = await apiWith(letter);
    await send(api, '/letter-1/replay');
    // As if the API had died between publishing and removing.
    await api.store.recordDead([letter]);
    await send(api, '/letter-1/replay');
    const expected = { ...anonymous, eventId: 'dead-letter-letter-1' };
    expect([eventId, ...api.queue.events]).toEqual(['order-1', expected, expected]);
  });

  it('queues each event of an array in a message of its own', async () => {
    const anonymous = { ...queued, eventId: undefined };
    const api = await apiWith(aLetter({ reason: 'crash-loop' }, [queued, anonymous]));
    const response = await send(api, '/letter-1/replay');
    expect(response.body).toEqual({ status: 'accepted', eventIds: ['order-1', 'dead-letter-letter-1-1'] });
    expect(api.queue.published.map((events) => events.length)).toEqual([1, 1]);
  });

  it('queues each event of a batch as it was sent in a message of its own', async () => {
    const events = ['one', 'two'].map((eventId) => ({ ...queued, eventId }));
    const { userId, eventType, timestamp, payload } = queued;
    const said = JSON.stringify({ userId, eventType, timestamp, payload });
    const bytes = Buffer.from(`[${said}, ${said}]`);
    const body = packBatch({ bytes, eventIds: '["one","two"]' }, queued);
    const api = await apiWith(aLetter({ reason: 'crash-loop', eventId: null }, body));
    const response = await send(api, '/letter-1/replay');
    expect(response.body).toEqual({ status: 'accepted', eventIds: ['one', 'two'] });
    expect(api.queue.published).toEqual(events.map((event) => [event]));
  });

  it('keeps the id of an event out of a batch, and all else that was known of it', async () => {
    const { userId, eventType, timestamp, payload } = queued;
    const said = JSON.stringify({ userId, eventType, timestamp, payload }, null, 2);
    const bytes = Buffer.from(`[${said},${said}]`);
    const body = packBatch({ bytes, eventIds: '["order-1","order-2"]' }, queued);
    const api = await apiWith(aLetter({}, readMessage(body).bytesOf(1)));
    const response = await send(api, '/letter-1/replay');
    expect(response.body).toEqual({ status: 'accepted', eventIds: ['order-2'] });
    expect(api.queue.events).toEqual([{ ...queued, eventId: 'order-2' }]);
  });

  it.each<[string, unknown, string[]]>([
    ['bytes that are not JSON', Buffer.from('{'), ['']],
    ['a number', 42, ['']],
    ['an empty array', [], ['']],
    [
      'an event with several faults',
      { ...queued, userId: '', timestamp: 'never', ip: 7 },
      ['ip', 'timestamp', 'userId'],
    ],
    [
      'an array with a bad event',
      [queued, { ...queued, timestamp: 'never', more: 1 }, 7],
      ['1.more', '1.timestamp', '2'],
    ],
    ['__proto__', Buffer.from(`{"__proto__":{},${JSON.stringify(queued).slice(1)}`), ['__proto__']],
    [
      '2^63',
      Buffer.from(JSON.stringify(queued).replace('"amount":7', '"amount":9223372036854775808')),
      ['payload.amount'],
    ],
  ])('refuses a letter with %s and asks for the edited event', async (_name, body, fields) => {
    const api = await apiWith(aLetter({}, body));
    const response = await send(api, '/letter-1/replay');
    expect(fieldsOf(response).sort()).toEqual(fields);
    expect(response.text).toContain('Send the event, edited');
    expect([api.queue.events, await idsKept(api)]).toEqual([[], ['letter-1']]);
  });

  it('refuses an edited event that is wrong, and keeps the letter', async () => {
    const api = await apiWith(aLetter());
    expect(fieldsOf(await send(api, '/letter-1/replay', { ...queued, colour: 'red' }))).toEqual(['colour']);
    const response = await send(api, '/letter-1/replay').set('Content-Type', 'application/json').send('{');
    expectProblem(response, 'invalid-json');
    expect([api.queue.events, await idsKept(api)]).toEqual([[], ['letter-1']]);
  });

  it('keeps the letter while the queue is away', async () => {
    const api = await apiWith(aLetter());
    api.queue.fault = new QueueUnavailable('away');
    expectProblem(await send(api, '/letter-1/replay'), 'queue-unavailable');
    expect(await idsKept(api)).toEqual(['letter-1']);
  });

  it('leaves the letter of an event that has died again before the first one is removed', async () => {
    const api = await apiWith(aLetter());
    const publish = api.queue.publish.bind(api.queue);
    api.queue.publish = async (events) => {
      await publish(events);
      await api.store.recordDead([aLetter({ diedAt: minute(5) })]);
    };
    expect((await send(api, '/letter-1/replay')).status).toBe(202);
    expect((await api.store.getDead('letter-1'))?.diedAt).toEqual(minute(5));
  });

  it('answers 503 while the database is away', async () => {
    const api = createTestApi({}, { store: Object.assign(createMemoryStore(), { away: true }) });
    expectProblem(await send(api, '/letter-1/replay'), 'store-unavailable');
  });
});

describe('DELETE /api/v1/dead-letters/:id', () => {
  it('removes the letter; a second time there is none', async () => {
    const api = await apiWith(aLetter(), aLetter({ id: 'other' }));
    const purge = () =>
      request(api.app).delete(`${DEAD_LETTERS}/letter-1`).set('Authorization', `Bearer ${ADMIN_KEY}`);
    expect((await purge()).status).toBe(204);
    expectProblem(await purge(), 'not-found');
    expect([await idsKept(api), api.queue.events]).toEqual([['other'], []]);
  });
});

describe('Replay and purge by filter', () => {
  const some = () => [
    aLetter({ id: 'good', diedAt: minute(3) }, { ...queued, eventId: 'good' }),
    aLetter({ id: 'bad', diedAt: minute(2), reason: 'invalid-json' }, Buffer.from('{')),
    aLetter({ id: 'fine', diedAt: minute(1) }, { ...queued, eventId: 'fine' }),
  ];

  it('replays what can be, and says why the rest cannot', async () => {
    const api = await apiWith(...some());
    const response = await send(api, '/replay', { all: true });
    expect([response.status, response.body]).toEqual([
      202,
      {
        replayed: 2,
        refused: [{ id: 'bad', details: [{ field: '', message: expect.stringMatching(/./) as string }] }],
        nextCursor: null,
      },
    ]);
    expect(api.queue.events.map(({ eventId }) => eventId).sort()).toEqual(['fine', 'good']);
    expect(await idsKept(api)).toEqual(['bad']);
  });

  it('acts on what the filter names alone', async () => {
    const api = await apiWith(...some());
    expect((await send(api, '/replay', { to: minute(2).toISOString() })).body).toMatchObject({ replayed: 1 });
    expect(await idsKept(api)).toEqual(['good', 'bad']);
    expect((await send(api, '/purge', { reason: 'invalid-json' })).body).toEqual({
      purged: 1,
      nextCursor: null,
    });
    expect(await idsKept(api)).toEqual(['good']);
    expect((await send(api, '/purge', { reason: 'invalid-json' })).body).toEqual({
      purged: 0,
      nextCursor: null,
    });
    expect((await send(api, '/purge', { all: true })).body).toEqual({ purged: 1, nextCursor: null });
  });

  it.each(['/replay', '/purge'])('POST %s takes 500 letters a call, and the caller goes on', async (path) => {
    const api = await apiWith(
      ...Array.from({ length: 1203 }, (_, index) =>
        aLetter({ id: `letter-${index}`, diedAt: minute(index % 7) }, { ...queued, eventId: `e-${index}` }),
      ),
    );
    const done: number[] = [];
    let cursor: string | null = null;
    do {
      const result = (await send(api, path, { all: true, ...(cursor && { cursor }) })).body as {
        replayed?: number;
        purged?: number;
        nextCursor: string | null;
      };
      done.push(result.replayed ?? result.purged ?? -1);
      cursor = result.nextCursor;
    } while (cursor !== null && done.length < 10);
    expect(done).toEqual([500, 500, 203]);
    expect(await idsKept(api)).toEqual([]);
    expect(new Set(api.queue.events.map(({ eventId }) => eventId)).size).toBe(path === '/replay' ? 1203 : 0);
  });

  it('broken off by a queue that goes away, goes on when it is asked again', async () => {
    const api = await apiWith(
      ...Array.from({ length: 50 }, (_, index) =>
        aLetter({ id: `letter-${index}` }, { ...queued, eventId: `e-${index}` }),
      ),
    );
    const publish = api.queue.publish.bind(api.queue);
    let left = 25;
    api.queue.publish = (events) =>
      left-- > 0 ? publish(events) : Promise.reject(new QueueUnavailable('away'));
    expectProblem(await send(api, '/replay', { all: true }), 'queue-unavailable');
    expect(api.queue.events).toHaveLength(25);
    left = 1000;
    await send(api, '/replay', { all: true });
    expect(new Set(api.queue.events.map(({ eventId }) => eventId)).size).toBe(50);
    expect(await idsKept(api)).toEqual([]);
  });

  it.each<[string, unknown, string[]]>([
    ['nothing', {}, ['']],
    ['an array', [], ['']],
    ['null', null, ['']],
    ['all that is not true', { all: 'true' }, ['all']],
    ['all beside a filter', { all: true, reason: 'crash-loop' }, ['']],
    ['a cursor alone', { cursor: Buffer.from('[1,"a"]').toString('base64url') }, ['']],
    ['wrong values', { reason: 'x', from: 'y', limit: 5 }, ['from', 'limit', 'reason']],
  ])('refuse a filter of %s', async (_name, filter, fields) => {
    const api = await apiWith(...some());
    for (const path of ['/replay', '/purge']) {
      expect(fieldsOf(await send(api, path, filter), 'invalid-query').sort()).toEqual(fields);
    }
    expectProblem(await send(api, '/purge'), 'invalid-json');
    expect([await idsKept(api), api.queue.events]).toEqual([['good', 'bad', 'fine'], []]);
  });
});
