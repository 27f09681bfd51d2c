import request from 'supertest';
import { QueueUnavailable } from '@event-tracker/shared/errors';
import { type ActivityEvent, parseEvent } from '@event-tracker/shared/event';
import {
  ACTIVITIES,
  activity,
  BATCH,
  closeServers,
  createTestApi,
  expectProblem,
  fieldsOf,
  listenAs,
  post,
  postRaw,
} from './support.ts';

const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

afterEach(closeServers);

describe('POST /api/v1/activities', () => {
  it('answers 202 with the id of the event and nothing else', async () => {
    const { app, queue } = createTestApi();
    const response = await post(app);
    expect(response.status).toBe(202);
    expect(response.body).toEqual({ status: 'accepted', eventId: queue.events[0]?.eventId });
    expect(response.get('Content-Type')).toMatch(/^application\/json/);
  });

  it('queues the event as it was sent, with the facts of the request', async () => {
    const { app, queue } = createTestApi();
    const before = Date.now();
    const response = await post(await listenAs(app, '203.0.113.7'))
      .set('X-Request-Id', 'request-1')
      .set('User-Agent', 'the-test/1.0');
    const after = Date.now();

    expect(response.status).toBe(202);
    expect(queue.published).toEqual([
      [
        {
          eventId: expect.stringMatching(UUID_V7) as string,
          userId: 'a1b2c3d4-e5f6-7890-1234-567890abcdef',
          eventType: 'user_login',
          timestamp: '2023-10-27T10:00:00.000Z',
          payload: { ipAddress: '192.168.1.1', device: 'desktop', browser: 'Chrome' },
          source: 'activities',
          receivedAt: expect.any(String) as string,
          requestId: 'request-1',
          ip: '203.0.113.7',
          userAgent: 'the-test/1.0',
        },
      ],
    ]);
    const receivedAt = Date.parse(queue.events[0]?.receivedAt ?? '');
    expect(receivedAt).toBeGreaterThanOrEqual(before);
    expect(receivedAt).toBeLessThanOrEqual(after);
  });

  it('queues what the worker takes for a valid event', async () => {
    const { app, queue } = createTestApi();
    await post(app);
    await post(app, activity({ userId: 17, eventId: 'mine', payload: undefined })).unset('User-Agent');
    expect(queue.events.map((event) => parseEvent(event).ok)).toEqual([true, true]);
  });

  it('answers only after the queue holds the event', async () => {
    const { app, queue } = createTestApi();
    let confirm: () => void = () => undefined;
    queue.confirmation = new Promise((resolve) => (confirm = resolve));
    let isAnswered = false;
    const response = post(app).then((answer) => {
      isAnswered = true;
      return answer;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isAnswered).toBe(false);
    confirm();
    expect((await response).status).toBe(202);
  });

  it('answers no 202 when the queue does not take the event', async () => {
    const { app, queue } = createTestApi();
    queue.fault = new QueueUnavailable('not now');
    const response = await post(app);
    expectProblem(response, 'queue-unavailable');
    expect(queue.events).toEqual([]);
  });

  it('makes ids that sort by the time of their making', async () => {
    const { app, queue } = createTestApi();
    for (let count = 0; count < 5; count++) await post(app);
    const ids = queue.events.map(({ eventId }) => eventId);
    expect(new Set(ids).size).toBe(5);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(UUID_V7);
  });

  it.each([
    ['eventId', { eventId: 'order-1' }, {}, 'order-1'],
    ['id', { id: 'order-2' }, {}, 'order-2'],
    ['the Idempotency-Key header', {}, { 'Idempotency-Key': 'key-3' }, 'key-3'],
    ['eventId before the header', { eventId: 'order-4' }, { 'Idempotency-Key': 'key-4' }, 'order-4'],
    ['id before the header', { id: 'order-5' }, { 'Idempotency-Key': 'key-5' }, 'order-5'],
    ['an eventId of 128 characters', { eventId: 'e'.repeat(128) }, {}, 'e'.repeat(128)],
    ['a key of 120 characters', {}, { 'Idempotency-Key': 'k'.repeat(120) }, 'k'.repeat(120)],
  ])('takes the id from %s', async (_name, changes, headers, eventId) => {
    const { app, queue } = createTestApi();
    const response = await post(app, activity(changes)).set(headers);
    expect(response.body).toEqual({ status: 'accepted', eventId });
    expect(queue.events.map((event) => event.eventId)).toEqual([eventId]);
    expect(queue.events[0]).not.toHaveProperty('id');
  });

  it.each([
    ['a number as userId becomes a string', { userId: 123 }, { userId: '123' }],
    ['zero as userId', { userId: 0 }, { userId: '0' }],
    ['a negative number as userId', { userId: -5 }, { userId: '-5' }],
    ['the largest exact number as userId', { userId: 9007199254740991 }, { userId: '9007199254740991' }],
    ['a number in a string as userId', { userId: '1' }, { userId: '1' }],
    ['a userId that is not ASCII', { userId: 'Jürgen 😀' }, { userId: 'Jürgen 😀' }],
    ['a userId of 256 characters', { userId: 'u'.repeat(256) }, { userId: 'u'.repeat(256) }],
    [
      'a timestamp without a zone is UTC',
      { timestamp: '2023-10-27T10:00:00' },
      { timestamp: '2023-10-27T10:00:00.000Z' },
    ],
    ['a date alone is midnight UTC', { timestamp: '2023-10-27' }, { timestamp: '2023-10-27T00:00:00.000Z' }],
    [
      'a zone is turned to UTC',
      { timestamp: '2023-10-27T10:00:00+05:30' },
      { timestamp: '2023-10-27T04:30:00.000Z' },
    ],
    ['a short zone', { timestamp: '2023-10-27T10:00:00+02' }, { timestamp: '2023-10-27T08:00:00.000Z' }],
    [
      'milliseconds are kept',
      { timestamp: '2023-10-27T10:00:00.123Z' },
      { timestamp: '2023-10-27T10:00:00.123Z' },
    ],
    [
      'microseconds are cut',
      { timestamp: '2023-10-27T10:00:00.123999Z' },
      { timestamp: '2023-10-27T10:00:00.123Z' },
    ],
    ['no payload is an empty one', { payload: undefined }, { payload: {} }],
    ['an empty payload', { payload: {} }, { payload: {} }],
    [
      'a payload of every JSON type, with dots and dollars in keys',
      { payload: { 'a.b': 1.5, $set: null, list: [true, 'x', { deep: [] }], '': -0.1 } },
      { payload: { 'a.b': 1.5, $set: null, list: [true, 'x', { deep: [] }], '': -0.1 } },
    ],
    [
      'payload keys that name methods',
      { payload: { constructor: 1, toString: 2 } },
      { payload: { constructor: 1, toString: 2 } },
    ],
  ])('takes %s', async (_name, changes, queued) => {
    const { app, queue } = createTestApi();
    const response = await post(app, activity(changes));
    expect(response.body).toEqual({ status: 'accepted', eventId: queue.events[0]?.eventId });
    expect(queue.events).toEqual([expect.objectContaining(queued)]);
  });

  it.each([
    ['no userId', { userId: undefined }, ['userId']],
    ['an empty userId', { userId: '' }, ['userId']],
    ['null as userId', { userId: null }, ['userId']],
    ['a fraction as userId', { userId: 1.5 }, ['userId']],
    ['an object as userId', { userId: { $ne: null } }, ['userId']],
    ['a userId that is too long', { userId: 'u'.repeat(257) }, ['userId']],
    ['no eventType', { eventType: undefined }, ['eventType']],
    ['an empty eventType', { eventType: '' }, ['eventType']],
    ['a number as eventType', { eventType: 5 }, ['eventType']],
    ['an eventType that is too long', { eventType: 't'.repeat(129) }, ['eventType']],
    ['no timestamp', { timestamp: undefined }, ['timestamp']],
    ['a timestamp that is none', { timestamp: 'yesterday' }, ['timestamp']],
    ['a number as timestamp', { timestamp: 1698400800000 }, ['timestamp']],
    ['a day that is not in the calendar', { timestamp: '2023-02-30T10:00:00Z' }, ['timestamp']],
    ['an array as payload', { payload: [] }, ['payload']],
    ['null as payload', { payload: null }, ['payload']],
    ['a string as payload', { payload: '{}' }, ['payload']],
    ['an empty eventId', { eventId: '' }, ['eventId']],
    ['a number as eventId', { eventId: 5 }, ['eventId']],
    ['an eventId that is too long', { eventId: 'e'.repeat(129) }, ['eventId']],
    ['a field that is not known', { sessionId: 's' }, ['sessionId']],
    ['eventId and id at once', { eventId: 'a', id: 'b' }, ['']],
    ['the source, which is ours to say', { source: 'me', receivedAt: 'now' }, ['source', 'receivedAt']],
  ])('refuses %s, by name', async (_name, changes, fields) => {
    const { app, queue } = createTestApi();
    expect(fieldsOf(await post(app, activity(changes)))).toEqual(fields);
    expect(queue.published).toEqual([]);
  });

  it('names every wrong field at once', async () => {
    const { app } = createTestApi();
    const body = { eventId: '', userId: null, eventType: 7, timestamp: 'x', payload: [], extra: 1 };
    const response = await post(app, body).set('Idempotency-Key', 'with a space');
    expect(fieldsOf(response).sort()).toEqual(
      ['Idempotency-Key', 'eventId', 'eventType', 'extra', 'payload', 'timestamp', 'userId'].sort(),
    );
  });

  it('says of every field that is missing that it is required', async () => {
    const { app } = createTestApi();
    expect(expectProblem(await post(app, {}), 'invalid-event').details).toEqual([
      { field: 'userId', message: 'is required' },
      { field: 'eventType', message: 'is required' },
      { field: 'timestamp', message: 'is required' },
    ]);
  });

  it.each([
    ['empty', ''],
    ['with a space', 'a b'],
    ['too long', 'k'.repeat(121)],
    ['not ASCII', 'sch\u00fcssel'],
  ])('refuses an Idempotency-Key that is %s', async (_name, key) => {
    const { app, queue } = createTestApi();
    expect(fieldsOf(await post(app).set('Idempotency-Key', key))).toEqual(['Idempotency-Key']);
    expect(queue.published).toEqual([]);
  });

  it('cuts a long user agent, and keeps null where there is none', async () => {
    const { app, queue } = createTestApi();
    await post(app).set('User-Agent', 'x'.repeat(600));
    await post(app).unset('User-Agent');
    expect(queue.events.map(({ userAgent }) => userAgent)).toEqual(['x'.repeat(512), null]);
  });

  it.each(['with a space', '<script>', 'x'.repeat(129)])(
    'makes a request id instead of %p',
    async (given) => {
      const { app, queue } = createTestApi();
      const response = await post(app).set('X-Request-Id', given);
      expect(response.get('X-Request-Id')).toMatch(UUID_V7);
      expect(queue.events[0]?.requestId).toBe(response.get('X-Request-Id'));
    },
  );
});

describe('POST /api/v1/activities/batch', () => {
  const batch = (count: number) =>
    Array.from({ length: count }, (_, index) => activity({ eventId: `e${index}` }));

  it.each([
    ['an array', (events: unknown[]) => events],
    ['{events}', (events: unknown[]) => ({ events })],
  ])('takes %s and queues it as one', async (_name, wrap) => {
    const { app, queue } = createTestApi();
    const response = await post(app, wrap(batch(3)), BATCH);
    expect(response.status).toBe(202);
    expect(response.body).toEqual({
      status: 'accepted',
      accepted: 3,
      rejected: [],
      eventIds: ['e0', 'e1', 'e2'],
    });
    expect(queue.published).toHaveLength(1);
    expect(queue.events).toEqual(
      batch(3).map(
        (event) =>
          expect.objectContaining({
            ...event,
            timestamp: '2023-10-27T10:00:00.000Z',
            source: 'activities',
          }) as unknown,
      ),
    );
  });

  it('takes 2,500 events', async () => {
    const { app, queue } = createTestApi();
    const response = await post(app, batch(2500), BATCH);
    expect(response.status).toBe(202);
    expect(response.body).toMatchObject({ accepted: 2500, rejected: [] });
    expect(queue.events).toHaveLength(2500);
  });

  it('refuses 2,501 events with 413 and takes none', async () => {
    const { app, queue } = createTestApi();
    const { detail } = expectProblem(await post(app, batch(2501), BATCH), 'body-too-large');
    expect(detail).toContain('2500');
    expect(queue.published).toEqual([]);
  });

  it('takes the good events although others are bad, and says which are bad and why', async () => {
    const { app, queue } = createTestApi();
    const events = [
      activity({ eventId: 'first' }),
      activity({ userId: '', eventType: 5 }),
      'no object',
      null,
      activity({ eventId: 'last' }),
    ];
    const response = await post(app, events, BATCH);
    expect(response.status).toBe(202);
    expect(response.body).toEqual({
      status: 'accepted',
      accepted: 2,
      eventIds: ['first', 'last'],
      rejected: [
        {
          index: 1,
          details: [
            { field: 'userId', message: 'must not be empty' },
            { field: 'eventType', message: 'must be a string' },
          ],
        },
        { index: 2, details: [{ field: '', message: 'must be a JSON object' }] },
        { index: 3, details: [{ field: '', message: 'must be a JSON object' }] },
      ],
    });
    expect(queue.events.map(({ eventId }) => eventId)).toEqual(['first', 'last']);
  });

  it('refuses a batch without a good event and names each wrong field with its index', async () => {
    const { app, queue } = createTestApi();
    const response = await post(
      app,
      [activity({ userId: '' }), 7, activity({ payload: { a: 'x\0' } })],
      BATCH,
    );
    expect(fieldsOf(response)).toEqual(['0.userId', '1', '2.payload.a']);
    expect(queue.published).toEqual([]);
  });

  it.each([
    ['an empty array', []],
    ['no events', {}],
    ['events that are no array', { events: { 0: activity() } }],
    ['events that are empty', { events: [] }],
    ['a string', 'events'],
    ['null', null],
    ['a single event', activity()],
  ])('refuses %s, naming events', async (_name, body) => {
    const { app, queue } = createTestApi();
    expect(fieldsOf(await post(app, body, BATCH))).toEqual(['events']);
    expect(queue.published).toEqual([]);
  });

  it('makes of one Idempotency-Key an id for each place, the same again when it is sent again', async () => {
    const { app, queue } = createTestApi();
    const events = [activity(), activity({ eventId: 'own' }), activity({ userId: '' }), activity()];
    const send = () => post(app, events, BATCH).set('Idempotency-Key', 'key');
    const [first, again] = [await send(), await send()];
    expect((first.body as { eventIds: unknown }).eventIds).toEqual(['key-0', 'own', 'key-3']);
    expect(again.body).toEqual(first.body);
    expect(queue.events.map(({ eventId }) => eventId)).toEqual([
      'key-0',
      'own',
      'key-3',
      'key-0',
      'own',
      'key-3',
    ]);
  });

  it('keeps ids within their length for the longest key and the last place', async () => {
    const { app, queue } = createTestApi();
    const events = Array.from({ length: 2500 }, () => activity({ payload: undefined }));
    const response = await post(app, events, BATCH).set('Idempotency-Key', 'k'.repeat(120));
    expect(response.status).toBe(202);
    expect(parseEvent(queue.events.at(-1))).toMatchObject({ ok: true });
  });

  it('refuses a wrong Idempotency-Key', async () => {
    const { app } = createTestApi();
    expect(fieldsOf(await post(app, [activity()], BATCH).set('Idempotency-Key', 'a b'))).toEqual([
      'Idempotency-Key',
    ]);
  });

  it.each([
    ['an hour ahead', '2023-10-27T12:00:00Z'],
    ['years behind, and says it with a zone', '1999-01-01T00:00:00.250+02:00'],
  ])('takes an event of a clock that is %s for as old as it is', async (_name, sentAt) => {
    const { app, queue } = createTestApi();
    const ages = [0, 1, 5000];
    const events = ages.map((ageMs) =>
      activity({ timestamp: new Date(Date.parse(sentAt) - ageMs).toISOString() }),
    );
    const response = await post(app, { events, sentAt, writeKey: 'any' }, BATCH);
    expect(response.body).toMatchObject({ accepted: 3, rejected: [] });
    const age = ({ receivedAt, timestamp }: ActivityEvent) => Date.parse(receivedAt) - Date.parse(timestamp);
    expect(queue.events.map(age)).toEqual(ages);
    expect(queue.events.map((event) => parseEvent(event).ok)).toEqual([true, true, true]);
  });

  it('leaves timestamps alone without sentAt, whatever else stands beside the events', async () => {
    const { app, queue } = createTestApi();
    const response = await post(
      app,
      { events: batch(1), writeKey: '', context: {}, ['__proto__']: 1 },
      BATCH,
    );
    expect(response.status).toBe(202);
    expect(queue.events.map(({ timestamp }) => timestamp)).toEqual(['2023-10-27T10:00:00.000Z']);
  });

  it.each([
    ['that is no moment', { sentAt: 'now' }, ['sentAt']],
    ['that is a number', { sentAt: 1698400800000 }, ['sentAt']],
    ['that is null', { sentAt: null }, ['sentAt']],
    ['and a writeKey that is no string', { sentAt: '2023-10-27', writeKey: 7 }, ['writeKey']],
    ['and a writeKey that is too long', { writeKey: 'k'.repeat(257) }, ['writeKey']],
    ['both of which are wrong', { sentAt: '', writeKey: {} }, ['sentAt', 'writeKey']],
  ])('takes nothing of a batch with a sentAt %s', async (_name, envelope, fields) => {
    const { app, queue } = createTestApi();
    expect(fieldsOf(await post(app, { events: batch(2), ...envelope }, BATCH))).toEqual(fields);
    expect(queue.published).toEqual([]);
  });

  it('takes a writeKey of 256 characters', async () => {
    const { app } = createTestApi();
    expect((await post(app, { events: batch(1), writeKey: 'k'.repeat(256) }, BATCH)).status).toBe(202);
  });

  it.each(['1000-01-01', '9999-12-31'])(
    'rejects the event that sentAt would move out of the years that are kept, from %s',
    async (edge) => {
      const { app, queue } = createTestApi();
      const sentAt = edge === '1000-01-01' ? '9999-12-31' : '1000-01-01';
      const events = [activity({ timestamp: edge }), activity({ timestamp: sentAt })];
      const response = await post(app, { events, sentAt }, BATCH);
      expect(response.body).toMatchObject({
        accepted: 1,
        rejected: [{ index: 0, details: [{ field: 'timestamp' }] }],
      });
      expect(queue.events).toHaveLength(1);
    },
  );

  it('answers 503 for the whole batch when the queue is away', async () => {
    const { app, queue } = createTestApi();
    queue.fault = new QueueUnavailable('not now');
    expectProblem(await post(app, batch(3), BATCH), 'queue-unavailable');
  });
});

it('takes events without any header of its own, as the simplest client sends them', async () => {
  const { app } = createTestApi();
  const response = await request(app).post(ACTIVITIES).send(activity());
  expect(response.status).toBe(202);
  expect((await postRaw(app, `\n ${JSON.stringify(activity())} \n`)).status).toBe(202);
});
