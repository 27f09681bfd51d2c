import request from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { type Store, type StoredActivity } from '@event-tracker/consumer/store/store';
import { ACTIVITIES, ADMIN_KEY, createTestApi, expectProblem, fieldsOf, getAsAdmin } from './support.ts';

interface Seed {
  eventId: string;
  userId?: string;
  eventType?: string;
  timestamp?: string;
}

async function apiWith(seeds: Seed[]) {
  const api = createTestApi();
  await save(api.store, seeds);
  return api;
}

async function save(store: Store, seeds: Seed[]): Promise<void> {
  const deliveries = seeds.map((seed) => ({
    event: {
      userId: 'ada',
      eventType: 'view',
      timestamp: '2023-10-27T10:00:00.000Z',
      payload: {},
      source: 'activities',
      receivedAt: '2023-10-27T10:00:01.000Z',
      requestId: 'request-1',
      ip: '203.0.113.7',
      userAgent: 'the-test/1.0',
      ...seed,
    },
    attempts: 1,
    redelivered: false,
  }));
  await store.save(deliveries);
}

/** A page as the client sees it. */
async function readPage(app: Target, query: Record<string, unknown> | string = {}) {
  const response = await getAsAdmin(app).query(query);
  expect(response.status).toBe(200);
  return response.body as Page;
}

type Target = Parameters<typeof getAsAdmin>[0];

interface Page {
  activities: StoredActivity[];
  nextCursor: string | null;
}

const minute = (count: number) => new Date(Date.UTC(2023, 9, 27, 10, count)).toISOString();
const idsOf = ({ activities }: Page) => activities.map(({ eventId }) => eventId);

describe('GET /api/v1/activities', () => {
  const seeds: Seed[] = [
    { eventId: 'a', timestamp: minute(1) },
    { eventId: 'd', timestamp: minute(4), userId: 'bob', eventType: 'login' },
    { eventId: 'b', timestamp: minute(2), userId: 'bob' },
    { eventId: 'c', timestamp: minute(3), eventType: 'login' },
  ];

  it('answers with the events, newest first, and what happened to them', async () => {
    const { app } = await apiWith(seeds);
    const page = await readPage(app);
    expect(idsOf(page)).toEqual(['d', 'c', 'b', 'a']);
    expect(page.nextCursor).toBeNull();
    expect(page.activities[0]).toEqual({
      eventId: 'd',
      userId: 'bob',
      eventType: 'login',
      timestamp: minute(4),
      payload: {},
      source: 'activities',
      processing: {
        receivedAt: '2023-10-27T10:00:01.000Z',
        processedAt: expect.any(String) as string,
        attempts: 1,
        redelivered: false,
        worker: 'memory',
        requestId: 'request-1',
        ip: '203.0.113.7',
        userAgent: 'the-test/1.0',
      },
    });
  });

  it('answers with an empty page when nothing is stored', async () => {
    const { app } = createTestApi();
    expect(await readPage(app)).toEqual({ activities: [], nextCursor: null });
  });

  it.each([
    ['userId', { userId: 'bob' }, ['d', 'b']],
    ['eventType', { eventType: 'login' }, ['d', 'c']],
    ['userId and eventType', { userId: 'bob', eventType: 'login' }, ['d']],
    ['from, included', { from: minute(3) }, ['d', 'c']],
    ['to, excluded', { to: minute(3) }, ['b', 'a']],
    ['from and to', { from: minute(2), to: minute(4) }, ['c', 'b']],
    ['from without a zone, as UTC', { from: '2023-10-27T10:03:00' }, ['d', 'c']],
    ['from with a zone', { from: '2023-10-27T12:03:00+02:00' }, ['d', 'c']],
    ['to as a date alone', { to: '2023-10-27' }, []],
    ['limit', { limit: 2 }, ['d', 'c']],
    ['all of them', { userId: 'bob', eventType: 'view', from: minute(0), to: minute(9), limit: 5 }, ['b']],
    ['a user that nobody is', { userId: 'eve' }, []],
  ])('filters by %s', async (_name, query, ids) => {
    const { app } = await apiWith(seeds);
    expect(idsOf(await readPage(app, query))).toEqual(ids);
  });

  it.each([1, 2, 3, 7, 10, 500])(
    'walks in pages of %i over all events, without a gap and without a double',
    async (limit) => {
      // Seven events of one and the same millisecond lie across the pages' ends.
      const many = Array.from({ length: 20 }, (_, index) => ({
        eventId: `e${String(index).padStart(2, '0')}`,
        timestamp: minute(index < 5 ? index : index < 12 ? 5 : index),
      }));
      const { app } = await apiWith([...many, { eventId: 'other', userId: 'bob', timestamp: minute(5) }]);
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await readPage(app, { userId: 'ada', limit, ...(cursor && { cursor }) });
        seen.push(...idsOf(page));
        cursor = page.nextCursor;
      } while (cursor !== null && seen.length <= many.length);
      expect(cursor).toBeNull();
      expect(seen).toEqual(many.map(({ eventId }) => eventId).reverse());
    },
  );

  it('gives no event twice when new ones come in during the walk', async () => {
    const { app, store } = await apiWith(seeds);
    const first = await readPage(app, { limit: 2 });
    await save(store, [{ eventId: 'z', timestamp: minute(9) }]);
    const second = await readPage(app, { limit: 2, cursor: first.nextCursor });
    expect([...idsOf(first), ...idsOf(second)]).toEqual(['d', 'c', 'b', 'a']);
  });

  it('gives 50 events to who names no limit, and 500 to who asks for the most', async () => {
    const { app } = await apiWith(Array.from({ length: 501 }, (_, index) => ({ eventId: `e${index}` })));
    expect(idsOf(await readPage(app))).toHaveLength(50);
    expect(idsOf(await readPage(app, { limit: 500 }))).toHaveLength(500);
  });

  it.each([
    ['limit of 0', 'limit=0', ['limit']],
    ['limit of 501', 'limit=501', ['limit']],
    ['negative limit', 'limit=-1', ['limit']],
    ['fraction as limit', 'limit=1.5', ['limit']],
    ['word as limit', 'limit=all', ['limit']],
    ['empty limit', 'limit=', ['limit']],
    ['limit without end', 'limit=1e400', ['limit']],
    ['from that is no moment', 'from=yesterday', ['from']],
    ['to that is not in the calendar', 'to=2023-02-30', ['to']],
    ['empty from', 'from=', ['from']],
    ['empty userId', 'userId=', ['userId']],
    ['userId given twice', 'userId=a&userId=b', ['userId']],
    ['cursor that is none', 'cursor=x', ['cursor']],
    ['cursor of null', `cursor=${Buffer.from('null').toString('base64url')}`, ['cursor']],
    ['cursor of another shape', `cursor=${Buffer.from('["x",1]').toString('base64url')}`, ['cursor']],
    ['cursor past the end of time', `cursor=${Buffer.from('[1e300,"a"]').toString('base64url')}`, ['cursor']],
    ['parameter that nobody knows', 'user_id=a', ['user_id']],
    ['operator of a database', 'userId[$ne]=a', ['userId[$ne]']],
    ['__proto__', '__proto__=a', ['__proto__']],
    [
      'query with every parameter wrong',
      'limit=0&from=x&to=y&cursor=z&userId=&eventType=&q=1',
      ['cursor', 'eventType', 'from', 'limit', 'q', 'to', 'userId'],
    ],
  ])('refuses a %s, naming every wrong parameter', async (_name, query, fields) => {
    const { app } = await apiWith(seeds);
    const response = await getAsAdmin(app, `${ACTIVITIES}?${query}`);
    expect(fieldsOf(response, 'invalid-query').sort()).toEqual(fields);
  });

  it('answers HEAD without a body', async () => {
    const { app } = await apiWith(seeds);
    const response = await request(app).head(ACTIVITIES).set('Authorization', `Bearer ${ADMIN_KEY}`);
    expect([response.status, response.text]).toEqual([200, undefined]);
  });
});

describe('GET /api/v1/activities/:eventId', () => {
  it.each(['order-1', 'a/b', 'ü 😀', '50%', 'a?b#c', 'x'.repeat(128)])(
    'answers with the event %p',
    async (eventId) => {
      const { app } = await apiWith([{ eventId }, { eventId: 'other' }]);
      const response = await getAsAdmin(app, `${ACTIVITIES}/${encodeURIComponent(eventId)}`);
      expect(response.status).toBe(200);
      expect(response.body).toMatchObject({ eventId, userId: 'ada', processing: { worker: 'memory' } });
    },
  );

  it('answers 404 for an event that is not stored', async () => {
    const { app } = await apiWith([]);
    expectProblem(await getAsAdmin(app, `${ACTIVITIES}/nobody`), 'not-found');
  });
});

describe('Reads while the database is away', () => {
  it('answer 503, and events are still taken', async () => {
    const store = createMemoryStore();
    store.away = true;
    const { app, queue } = createTestApi({}, { store });
    for (const path of [ACTIVITIES, `${ACTIVITIES}/order-1`]) {
      const response = await getAsAdmin(app, path);
      expectProblem(response, 'store-unavailable');
      expect(response.get('Retry-After')).toBe('1');
    }
    const response = await request(app)
      .post(ACTIVITIES)
      .send({ userId: 'u', eventType: 't', timestamp: minute(0) });
    expect(response.status).toBe(202);
    expect(queue.events).toHaveLength(1);
  });
});
