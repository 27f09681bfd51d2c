import request from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { type Store } from '@event-tracker/consumer/store/store';
import { QueueUnavailable } from '@event-tracker/shared/errors';
import { parseEvent } from '@event-tracker/shared/event';
import { exposeMetrics } from '../services/metrics.ts';
import {
  ADMIN_KEY,
  createTestApi,
  expectProblem,
  fieldsOf,
  getAsAdmin,
  post,
  postRaw,
  type TestApi,
} from './support.ts';

const TRACK = '/api/v1/events/track';
const REACT_USER_TRACKER = '/api/v1/events/react-user-tracker';
const GENERATE = '/events/generate';
const PROCESSED = '/events/processed';
const PATHS = [TRACK, REACT_USER_TRACKER, GENERATE];

const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
const nested = (levels: number, open: string, close: string) =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

/** Asserts that nothing is queued that the worker would not take for a valid event. */
function expectValidEvents({ queue }: TestApi): void {
  expect(queue.events.filter((event) => !parseEvent(event).ok)).toEqual([]);
}

describe('POST /api/v1/events/track', () => {
  const tracked = (changes: Record<string, unknown> = {}) => ({
    user_id: 101,
    event_type: 'login',
    timestamp: '2025-01-03T08:30:00Z',
    metadata: { source: 'web' },
    ...changes,
  });

  it.each([
    [
      'with a zone',
      `{
  "user_id": 101,
  "event_type": "login",
  "timestamp": "2025-01-03T08:30:00Z",
  "metadata": {
    "source": "web"
  }
}`,
      { userId: '101', timestamp: '2025-01-03T08:30:00.000Z', payload: { source: 'web' } },
    ],
    [
      'without a zone',
      `{
    "user_id": 123,
    "event_type": "login",
    "timestamp": "2026-02-19T10:00:00",
    "metadata": {"browser": "Chrome", "ip": "192.168.1.1"}
  }`,
      {
        userId: '123',
        timestamp: '2026-02-19T10:00:00.000Z',
        payload: { browser: 'Chrome', ip: '192.168.1.1' },
      },
    ],
  ])('takes what its clients send, %s', async (_name, body, event) => {
    const api = createTestApi();
    const response = await postRaw(api.app, body, {}, TRACK);
    expect(response.status).toBe(202);
    expect(response.body).toEqual({ status: 'accepted', eventId: api.queue.events[0]?.eventId });
    expect(api.queue.events).toEqual([
      expect.objectContaining({
        eventId: expect.stringMatching(UUID_V7) as string,
        eventType: 'login',
        source: 'track',
        ...event,
      }),
    ]);
    expectValidEvents(api);
  });

  it.each([
    ['a string as user_id', { user_id: 'user-7' }, { userId: 'user-7' }],
    ['digits in a string as user_id', { user_id: '101' }, { userId: '101' }],
    ['zero as user_id', { user_id: 0 }, { userId: '0' }],
    [
      'a zone other than UTC',
      { timestamp: '2026-02-19T10:00:00+05:30' },
      { timestamp: '2026-02-19T04:30:00.000Z' },
    ],
    [
      'microseconds, as Python writes them',
      { timestamp: '2026-02-19T10:00:00.123456' },
      { timestamp: '2026-02-19T10:00:00.123Z' },
    ],
    ['no metadata', { metadata: undefined }, { payload: {} }],
    ['null as metadata', { metadata: null }, { payload: {} }],
  ])('takes %s', async (_name, changes, event) => {
    const api = createTestApi();
    expect((await post(api.app, tracked(changes), TRACK)).status).toBe(202);
    expect(api.queue.events).toEqual([expect.objectContaining(event)]);
    expectValidEvents(api);
  });

  it('takes an id from the Idempotency-Key header', async () => {
    const { app, queue } = createTestApi();
    await post(app, tracked(), TRACK).set('Idempotency-Key', 'login-101');
    expect(queue.events.map(({ eventId }) => eventId)).toEqual(['login-101']);
  });

  it.each([
    ['nothing', {}, ['user_id', 'event_type', 'timestamp']],
    ['an empty user_id', tracked({ user_id: '' }), ['user_id']],
    ['a fraction as user_id', tracked({ user_id: 1.5 }), ['user_id']],
    ['null as event_type', tracked({ event_type: null }), ['event_type']],
    ['a time that is none', tracked({ timestamp: '19.02.2026' }), ['timestamp']],
    ['an array as metadata', tracked({ metadata: [] }), ['metadata']],
    ['NUL in metadata', tracked({ metadata: { a: { b: '\0' } } }), ['metadata.a.b']],
    ['NUL in event_type', tracked({ event_type: 'a\0' }), ['event_type']],
    [
      'our own names',
      { userId: 'u', eventType: 't' },
      ['user_id', 'event_type', 'timestamp', 'userId', 'eventType'],
    ],
    ['an id of its own', tracked({ eventId: 'mine' }), ['eventId']],
    ['an array', [tracked()], ['']],
    ['null', null, ['']],
  ])('refuses %s, naming every field as the client calls it', async (_name, body, fields) => {
    const { app, queue } = createTestApi();
    expect(fieldsOf(await post(app, body, TRACK))).toEqual(fields);
    expect(queue.published).toEqual([]);
  });

  it('says where facts of a client’s own belong, of one field too many and of a flood of them', async () => {
    const { app } = createTestApi();
    const flood = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]));
    for (const extra of [{ colour: 'red' }, flood]) {
      const { details } = expectProblem(await post(app, tracked(extra), TRACK), 'invalid-event');
      expect(details.length).toBeLessThanOrEqual(20);
      for (const { message } of details) expect(message).toContain('into metadata');
    }
  });
});

describe('POST /api/v1/events/react-user-tracker', () => {
  // What the README of the package documents, with a moment in place of Date.now() and an id in place of its kind.
  const click = {
    timestamp: 1771495200123,
    event_id: '4b1c6f5e-7f0a-4b9e-9d57-0d3a3c1f2e11',
    event_type: 'CLICK',
    location_type: 'COMPONENT',
    component_name: 'MyButton',
    page_path: '/home',
    page_title: 'Home',
    dom_info: { tag: 'BUTTON', id: 'submit', className: 'btn', text: 'Click Me' },
    user_metadata: { userId: 123 },
  };
  // What its hook sends of a pointer, and the tracker of a page: neither names a user.
  const hover = {
    event_type: 'HOVER_ENTER',
    location_type: 'COMPONENT',
    component_name: 'MyButton',
    user_metadata: {},
    timestamp: 1771495200456,
    event_id: '0a9d3a52-2f3c-4c0e-8f57-6b1f0b7a9c22',
    page_path: '/authors',
    page_title: 'Authors',
  };
  const page = {
    event_type: 'PAGE_VIEW',
    location_type: 'PAGE',
    user_metadata: { foo: 'bar' },
    timestamp: 1771495200789,
    event_id: 'f3f6c1de-1c58-4d2a-a1c4-3a2d5e8b7f33',
    page_path: '/authors',
    page_title: 'Authors',
  };
  const batch = (...events: unknown[]) => ({ events, appName: 'MyApp', appVersion: '1.0.0' });
  const send = (api: TestApi, body: unknown) => post(api.app, body, REACT_USER_TRACKER);

  it('knows no sentAt, which its client never sends', async () => {
    const api = createTestApi();
    await send(api, { ...batch(click), sentAt: 'whenever' });
    expect(api.queue.events.map(({ timestamp }) => timestamp)).toEqual(['2026-02-19T10:00:00.123Z']);
  });

  it('takes clicks, hovers and page events with all that they say', async () => {
    const api = createTestApi();
    const response = await send(api, batch(click, hover, page));
    expect(response.status).toBe(202);
    expect(response.body).toEqual({
      status: 'accepted',
      accepted: 3,
      rejected: [],
      eventIds: [click.event_id, hover.event_id, page.event_id],
    });
    expect(api.queue.published).toHaveLength(1);
    const app = { appName: 'MyApp', appVersion: '1.0.0' };
    expect(api.queue.events).toMatchObject([
      {
        eventId: click.event_id,
        userId: '123',
        eventType: 'CLICK',
        timestamp: '2026-02-19T10:00:00.123Z',
        source: 'react-user-tracker',
      },
      { eventId: hover.event_id, userId: 'anonymous', eventType: 'HOVER_ENTER' },
      { eventId: page.event_id, userId: 'anonymous', eventType: 'PAGE_VIEW' },
    ]);
    expect(api.queue.events.map(({ payload }) => payload)).toEqual([
      {
        ...app,
        location_type: 'COMPONENT',
        component_name: 'MyButton',
        page_path: '/home',
        page_title: 'Home',
        dom_info: { tag: 'BUTTON', id: 'submit', className: 'btn', text: 'Click Me' },
        user_metadata: { userId: 123 },
      },
      {
        ...app,
        location_type: 'COMPONENT',
        component_name: 'MyButton',
        page_path: '/authors',
        page_title: 'Authors',
        user_metadata: {},
      },
      {
        ...app,
        location_type: 'PAGE',
        page_path: '/authors',
        page_title: 'Authors',
        user_metadata: { foo: 'bar' },
      },
    ]);
    expectValidEvents(api);
  });

  it('takes a bare array of events as well', async () => {
    const api = createTestApi();
    const response = await send(api, [hover]);
    expect(response.body).toMatchObject({ accepted: 1, eventIds: [hover.event_id] });
    expect(api.queue.events[0]?.payload).not.toHaveProperty('appName');
    expectValidEvents(api);
  });

  it.each([
    ['no user_metadata', undefined],
    ['null as userId', { userId: null }],
    ['an empty userId', { userId: '' }],
  ])('keeps an event with %s as anonymous', async (_name, user_metadata) => {
    const api = createTestApi();
    expect((await send(api, batch({ ...click, user_metadata }))).status).toBe(202);
    expect(api.queue.events[0]).toMatchObject({ userId: 'anonymous' });
    expectValidEvents(api);
  });

  it('keeps the id of an event that comes in two batches, so that it is stored once', async () => {
    const api = createTestApi();
    await send(api, batch(click));
    await send(api, batch(click, page));
    expect(api.queue.events.map(({ eventId }) => eventId)).toEqual([
      click.event_id,
      click.event_id,
      page.event_id,
    ]);
  });

  it('takes the good events although others are bad, and says which are bad and why', async () => {
    const api = createTestApi();
    const bad = { ...page, timestamp: '2026-02-19T10:00:00Z', event_type: undefined, event_id: 7 };
    const response = await send(api, batch(click, bad, null, page));
    expect(response.status).toBe(202);
    expect(response.body).toEqual({
      status: 'accepted',
      accepted: 2,
      eventIds: [click.event_id, page.event_id],
      rejected: [
        {
          index: 1,
          details: [
            {
              field: 'timestamp',
              message: 'must be a number: the milliseconds since 1970 in UTC, of a year from 1000 to 9999',
            },
            { field: 'event_id', message: 'must be a string' },
            { field: 'event_type', message: 'is required' },
          ],
        },
        { index: 2, details: [{ field: '', message: 'must be a JSON object' }] },
      ],
    });
    expectValidEvents(api);
  });

  it.each([
    ['no time', { timestamp: undefined }, '0.timestamp'],
    ['a time past all calendars', { timestamp: 1e16 }, '0.timestamp'],
    ['a time before the year 1000', { timestamp: -4e13 }, '0.timestamp'],
    ['an array as user_metadata', { user_metadata: [] }, '0.user_metadata'],
    ['an object as userId', { user_metadata: { userId: { $ne: 1 } } }, '0.user_metadata.userId'],
    ['NUL in the DOM', { dom_info: { text: 'a\0' } }, '0.dom_info.text'],
    ['NUL in event_type', { event_type: 'a\0' }, '0.event_type'],
    ['a mark of BSON', { dom_info: { _bsontype: 'ObjectId' } }, '0.dom_info'],
    ['a number as appName', { appName: 5 }, '0.appName'],
  ])('refuses a batch whose only event has %s, by name', async (_name, changes, field) => {
    const { app, queue } = createTestApi();
    expect(fieldsOf(await post(app, batch({ ...click, ...changes }), REACT_USER_TRACKER))).toEqual([field]);
    expect(queue.published).toEqual([]);
  });

  it.each([
    ['an empty batch', batch()],
    ['a single event', click],
    ['null', null],
  ])('refuses %s, naming events', async (_name, body) => {
    const { app } = createTestApi();
    expect(fieldsOf(await post(app, body, REACT_USER_TRACKER))).toEqual(['events']);
  });

  it.each([
    ['a long string', 'x'.repeat(129)],
    ['an array', Array.from({ length: 10_000 }, () => 1)],
    ['NUL', 'a\0'],
    ['an object', { a: { b: 1 } }],
    ['null', null],
  ])('refuses %s as the name of the app, which each event would keep', async (_name, appName) => {
    const { app, queue } = createTestApi();
    const events = Array.from({ length: 1000 }, () => ({ ...click, event_id: undefined }));
    const response = await post(app, { events, appName }, REACT_USER_TRACKER);
    expect(new Set(fieldsOf(response).map((field) => field.replace(/^\d+\./, '')))).toEqual(
      new Set(['appName']),
    );
    expect(queue.published).toEqual([]);
  });

  it('takes no more levels of nesting than a payload may have', async () => {
    const api = createTestApi();
    const withDom = (levels: number) =>
      `[{"timestamp":1,"event_type":"CLICK","dom_info":${nested(levels, '{"a":', '}')}}]`;
    expect((await postRaw(api.app, withDom(63), {}, REACT_USER_TRACKER)).status).toBe(202);
    expectProblem(await postRaw(api.app, withDom(64), {}, REACT_USER_TRACKER), 'invalid-event');
    expectValidEvents(api);
  });
});

describe('POST /events/generate', () => {
  const types = { EVENT_TYPES: 'LOGIN,LOGOUT,PRODUCT_VIEW' };
  const good = { userId: 'user-1', eventType: 'LOGIN' };
  const messageOf = (response: request.Response) => {
    expect(response.get('Content-Type')).toBe('application/json; charset=utf-8');
    const { message, ...rest } = response.body as { message: string };
    expect(rest).toEqual({});
    return message;
  };

  it.each([
    [
      `{
  "userId": "user-1001",
  "eventType": "PRODUCT_VIEW",
  "payload": {
    "productId": "sku-7788",
    "category": "electronics"
  }
}`,
      {
        userId: 'user-1001',
        eventType: 'PRODUCT_VIEW',
        payload: { productId: 'sku-7788', category: 'electronics' },
      },
    ],
    [
      '{"userId":"user-1","eventType":"LOGIN","payload":{"ip":"10.0.0.10"}}',
      { userId: 'user-1', eventType: 'LOGIN', payload: { ip: '10.0.0.10' } },
    ],
    [
      '{"userId":"user-1","eventType":"PRODUCT_VIEW","payload":{"productId":"p-10"}}',
      { userId: 'user-1', eventType: 'PRODUCT_VIEW', payload: { productId: 'p-10' } },
    ],
    ['{"userId":"user-1","eventType":"LOGOUT"}', { userId: 'user-1', eventType: 'LOGOUT', payload: {} }],
  ])('takes what its clients send and makes id and time (%#)', async (body, event) => {
    const api = createTestApi(types);
    const before = Date.now();
    const response = await postRaw(api.app, body, {}, GENERATE);
    const after = Date.now();
    expect(response.status).toBe(201);
    expect(response.body).toEqual({ eventId: expect.stringMatching(UUID_V7) as string });
    expect(api.queue.events).toEqual([
      expect.objectContaining({ ...(response.body as object), ...event, source: 'generated-events' }),
    ]);
    const timestamp = Date.parse(api.queue.events[0]?.timestamp ?? '');
    expect(timestamp).toBeGreaterThanOrEqual(before);
    expect(timestamp).toBeLessThanOrEqual(after);
    expectValidEvents(api);
  });

  it('says in sentences what is wrong', async () => {
    const { app, queue } = createTestApi(types);
    const response = await post(app, {}, GENERATE);
    expect(response.status).toBe(400);
    expect(response.body).toEqual({
      message: 'Invalid request payload',
      errors: [
        'userId is required and must be a non-empty string',
        'eventType must be one of: LOGIN, LOGOUT, PRODUCT_VIEW',
      ],
    });
    expect(queue.published).toEqual([]);
  });

  const userId = 'userId is required and must be a non-empty string';
  const eventType = 'eventType must be one of: LOGIN, LOGOUT, PRODUCT_VIEW';
  it.each([
    ['an empty userId', JSON.stringify({ ...good, userId: '' }), [userId]],
    ['a number as userId', JSON.stringify({ ...good, userId: 7 }), [userId]],
    ['another type', JSON.stringify({ ...good, eventType: 'CLICK' }), [eventType]],
    ['an empty type', JSON.stringify({ ...good, eventType: '' }), [eventType]],
    ['null as type', JSON.stringify({ ...good, eventType: null }), [eventType]],
    [
      'a list as payload',
      JSON.stringify({ ...good, payload: [] }),
      ['payload must be a JSON object when provided'],
    ],
    [
      'NUL in the payload',
      JSON.stringify({ ...good, payload: { a: '\0' } }),
      ['payload.a must not contain the NUL character (U+0000)'],
    ],
    [
      'an id, which is made here',
      JSON.stringify({ ...good, eventId: 'mine' }),
      ['eventId is not a known field; put facts of your own into payload'],
    ],
    ['a list', '[]', ['The body must be a JSON object']],
    ['null', 'null', ['The body must be a JSON object']],
    ['no JSON', '{', [expect.stringMatching(/^The body is not JSON in UTF-8: /)]],
    ['nothing', '', ['The body is empty; send a JSON text.']],
  ])('refuses %s', async (_name, body, errors) => {
    const { app, queue } = createTestApi(types);
    const response = await postRaw(app, body, {}, GENERATE);
    expect(response.status).toBe(400);
    expect(response.body).toEqual({ message: 'Invalid request payload', errors });
    expect(queue.published).toEqual([]);
  });

  it('takes any type when EVENT_TYPES names none, but not an empty one', async () => {
    const { app, queue } = createTestApi();
    expect((await post(app, { ...good, eventType: 'CART_OPENED' }, GENERATE)).status).toBe(201);
    const response = await post(app, { ...good, eventType: '' }, GENERATE);
    expect((response.body as { errors: unknown }).errors).toEqual([
      'eventType is required and must be a non-empty string',
    ]);
    expect(queue.events.map((event) => event.eventType)).toEqual(['CART_OPENED']);
  });

  it('answers 503 when the event could not be published, and when to try again', async () => {
    const { app, queue, logged } = createTestApi();
    queue.fault = new QueueUnavailable('not now');
    const response = await post(app, good, GENERATE);
    expect(response.status).toBe(503);
    expect(messageOf(response)).toBe('Failed to publish event');
    expect(response.get('Retry-After')).toBe('1');
    expect(logged).toContainEqual(expect.objectContaining({ level: 'warn' }));
  });

  it('answers 500 for a fault of the server, and tells nothing of it', async () => {
    const { app, queue, logged } = createTestApi();
    queue.fault = new Error('a secret');
    const response = await post(app, good, GENERATE);
    expect(response.status).toBe(500);
    expect(messageOf(response)).toMatch(/^Something went wrong here: /);
    expect(response.text).not.toContain('a secret');
    expect(logged).toContainEqual(expect.objectContaining({ level: 'error' }));
  });

  it('answers 429 past the limit, and when to try again', async () => {
    const { app } = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '1' });
    expect((await post(app, good, GENERATE)).status).toBe(201);
    const response = await post(app, good, GENERATE);
    expect(response.status).toBe(429);
    expect(messageOf(response)).toMatch(/^Too many requests/);
    expect(Number(response.get('Retry-After'))).toBeGreaterThan(0);
  });

  it('answers 413 for a body that is too large', async () => {
    const { app } = createTestApi({ BODY_BYTES_MAX: '1024' });
    const response = await post(app, { ...good, payload: { a: 'x'.repeat(1024) } }, GENERATE);
    expect(response.status).toBe(413);
    expect(messageOf(response)).toContain('1024 bytes');
  });

  it('answers 415 for a body in another form', async () => {
    const { app } = createTestApi();
    const response = await postRaw(app, '<event/>', { 'Content-Type': 'application/xml' }, GENERATE);
    expect(response.status).toBe(415);
    expect(messageOf(response)).toContain('application/xml');
  });

  it.each([
    [GENERATE, 'get', 'POST, OPTIONS'],
    [PROCESSED, 'post', 'GET, HEAD'],
  ] as const)('answers 405 where %s is asked to %s', async (path, method, allow) => {
    const { app } = createTestApi();
    const response = await request(app)[method](path);
    expect(response.status).toBe(405);
    expect(response.get('Allow')).toBe(allow);
    expect(messageOf(response)).toContain(allow);
  });
});

describe('GET /events/processed', () => {
  const minute = (count: number) => new Date(Date.UTC(2026, 1, 17, 10, count)).toISOString();
  const save = (store: Store, counts: number[]) =>
    store.save(
      counts.map((count) => ({
        event: {
          eventId: `e${count}`,
          userId: 'user-1001',
          eventType: 'PRODUCT_VIEW',
          timestamp: minute(count),
          payload: { productId: 'sku-7788', category: 'electronics' },
          source: 'generated-events',
          receivedAt: minute(count),
          requestId: null,
          ip: null,
          userAgent: null,
        },
        attempts: 1,
        redelivered: false,
      })),
    );
  const idsOf = (response: request.Response) =>
    (response.body as { eventId: string }[]).map(({ eventId }) => eventId);

  it('answers with the stored events, newest last, as they were published', async () => {
    const { app, store } = createTestApi();
    await save(store, [2, 3, 1]);
    const response = await getAsAdmin(app, PROCESSED);
    expect(response.status).toBe(200);
    expect(idsOf(response)).toEqual(['e1', 'e2', 'e3']);
    expect((response.body as unknown[])[0]).toEqual({
      eventId: 'e1',
      userId: 'user-1001',
      eventType: 'PRODUCT_VIEW',
      timestamp: '2026-02-17T10:01:00.000Z',
      payload: { productId: 'sku-7788', category: 'electronics' },
    });
  });

  it('answers with an empty array when nothing is stored', async () => {
    const { app } = createTestApi();
    expect((await getAsAdmin(app, PROCESSED)).body).toEqual([]);
  });

  it('answers with the latest ones where there are more than the limit', async () => {
    const { app, store } = createTestApi();
    await save(
      store,
      Array.from({ length: 501 }, (_, index) => index),
    );
    const all = idsOf(await getAsAdmin(app, PROCESSED));
    expect([all.length, all[0], all.at(-1)]).toEqual([500, 'e1', 'e500']);
    expect(idsOf(await getAsAdmin(app, `${PROCESSED}?limit=2`))).toEqual(['e499', 'e500']);
  });

  it.each(['limit=0', 'limit=501', 'limit=all', 'userId=user-1'])('refuses ?%s', async (query) => {
    const { app } = createTestApi();
    const response = await getAsAdmin(app, `${PROCESSED}?${query}`);
    expect(response.status).toBe(400);
    const name = query.split('=')[0];
    expect(response.body).toEqual({
      message: 'Invalid request payload',
      errors: [expect.stringMatching(new RegExp(`^${name} `))],
    });
  });

  it('is for holders of the admin key', async () => {
    const { app } = createTestApi();
    const response = await request(app).get(PROCESSED);
    expect(response.status).toBe(401);
    expect(response.get('WWW-Authenticate')).toBe('Bearer');
    expect(Object.keys(response.body as object)).toEqual(['message']);
    expect(response.text).not.toContain(ADMIN_KEY);
  });

  it('answers 503 while the database is away', async () => {
    const store = createMemoryStore();
    store.away = true;
    const { app } = createTestApi({}, { store });
    const response = await getAsAdmin(app, PROCESSED);
    expect(response.status).toBe(503);
    expect(response.get('Retry-After')).toBe('1');
    expect(Object.keys(response.body as object)).toEqual(['message']);
  });
});

describe('Every way by which events come in', () => {
  it.each(PATHS)('is open to pages of other origins: %s', async (path) => {
    const { app } = createTestApi();
    const asked = await request(app).options(path).set({
      Origin: 'https://shop.example',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'content-type',
    });
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
    });
    const sent = await post(app, {}, path).set('Origin', 'https://shop.example');
    expect(sent.get('Access-Control-Allow-Origin')).toBe('*');
  });

  it('counts against one and the same limit', async () => {
    const { app } = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '3' });
    const statuses: number[] = [];
    for (const path of [...PATHS, TRACK]) statuses.push((await post(app, {}, path)).status);
    expect(statuses).toEqual([400, 400, 400, 429]);
  });

  it('counts what it refuses as invalid', async () => {
    const { app } = createTestApi();
    const invalid = async () =>
      Number(/^event_tracker_invalid_events_total (\d+)$/m.exec(await exposeMetrics({}))?.[1]);
    const before = await invalid();
    await post(app, {}, TRACK);
    await post(app, {}, GENERATE);
    await post(app, [{}, {}], REACT_USER_TRACKER);
    expect((await invalid()) - before).toBe(4);
  });

  it.each([TRACK, REACT_USER_TRACKER])(
    'is 503 with Retry-After while the queue is away: %s',
    async (path) => {
      const { app, queue } = createTestApi();
      queue.fault = new QueueUnavailable('not now');
      const body =
        path === TRACK
          ? { user_id: 1, event_type: 't', timestamp: '2026-02-19' }
          : [{ timestamp: 1, event_type: 'CLICK' }];
      const response = await post(app, body, path);
      expectProblem(response, 'queue-unavailable');
      expect(response.get('Retry-After')).toBe('1');
    },
  );

  it.each(PATHS)('never makes a fault of the server out of a hostile body: %s', async (path) => {
    const { app, queue } = createTestApi();
    const poison = '{"__proto__":{"polluted":1,"userId":"u","user_id":1,"events":[{}]}}';
    const deep = [nested(40_000, '[', ']'), nested(40_000, '{"a":', '}')];
    const values = ['null', '[]', '[null]', '[[]]', '7', '"x"', '1e400', '""', poison, ...deep];
    const fields = ['user_id', 'event_type', 'timestamp', 'metadata', 'userId', 'eventType', 'payload'];
    const ofTracker = [
      'event_id',
      'user_metadata',
      'dom_info',
      'events',
      'appName',
      '__proto__',
      'constructor',
    ];
    const bodies = values.flatMap((value) => [
      value,
      `[${value}]`,
      ...[...fields, ...ofTracker].map((field) => `{"${field}":${value}}`),
      ...[...fields, ...ofTracker].map((field) => `{"events":[{"${field}":${value}}]}`),
    ]);
    for (const body of bodies) {
      const { status } = await postRaw(app, body, {}, path);
      expect([body.slice(0, 200), status]).toEqual([body.slice(0, 200), 400]);
    }
    expect(queue.published).toEqual([]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
