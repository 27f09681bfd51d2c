import request from 'supertest';
import { HourTally } from '@event-tracker/consumer/store/hour-counts';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { type HourCounts, type HourRecord } from '@event-tracker/consumer/store/store';
import { type Overview, PeriodTally } from '../services/overview.ts';
import { createTestApi, expectProblem, fieldsOf, getAsAdmin } from './support.ts';

const OVERVIEW = '/api/v1/stats/overview';
const at = (day: number, hour = 0) => new Date(Date.UTC(2024, 0, day, hour));

/** The counts of an hour in which each of these events happened once. */
function countsOf(
  events: readonly (readonly [userId: string, eventType: string, page: string | null])[],
): HourCounts {
  const tally = new HourTally();
  tally.add({
    eventTypes: events.map(([, eventType]) => eventType),
    userIds: events.map(([userId]) => userId),
    pages: events.map(([, , page]) => page).filter((page) => page !== null),
    next: null,
  });
  return tally.counts();
}

const record = (hour: Date, counts: HourCounts | null, isDirty = false): HourRecord => ({
  hour,
  isDirty,
  counts,
});
const visit = (user: string, page = '/') => [user, 'page_view', page] as const;

describe('a period', () => {
  it('shows every interval, also those of which there is nothing', () => {
    const range = { from: at(1, 0), to: at(1, 4), interval: 'hour' } as const;
    const tally = new PeriodTally(range);
    tally.add(record(at(1, 2), countsOf([visit('u')])));
    expect(tally.period().series).toEqual([
      { start: at(1, 0), count: 0, users: 0 },
      { start: at(1, 1), count: 0, users: 0 },
      { start: at(1, 2), count: 1, users: 1 },
      { start: at(1, 3), count: 0, users: 0 },
    ]);
    expect(new PeriodTally(range).period()).toMatchObject({ total: 0, users: 0, byType: [], topPages: [] });
  });

  it('counts a user of several hours once in each interval, and once in all', () => {
    const tally = new PeriodTally({ from: at(1), to: at(3), interval: 'day' });
    tally.add(record(at(1, 5), countsOf([visit('u'), visit('v')])));
    tally.add(record(at(1, 23), countsOf([visit('u')])));
    tally.add(record(at(2, 0), countsOf([visit('u'), visit('w')])));
    expect(tally.period()).toMatchObject({
      ...{ total: 5, users: 3 },
      series: [
        { start: at(1), count: 3, users: 2 },
        { start: at(2), count: 2, users: 2 },
      ],
    });
  });

  it('adds up types and pages, most frequent first, and shows fifty of each', () => {
    const tally = new PeriodTally({ from: at(1), to: at(2), interval: 'day' });
    const many = Array.from({ length: 60 }, (_, index) => String(index).padStart(2, '0'));
    for (const hour of [1, 2]) {
      const events = many.map((name) => ['u', `type-${name}`, `/${name}`] as const);
      tally.add(record(at(1, hour), countsOf([...events, visit('u', '/59'), ['u', 'click', null]])));
    }
    const { byType, topPages } = tally.period();
    expect([byType.length, topPages.length]).toEqual([50, 50]);
    expect(byType.slice(0, 2)).toEqual([
      { eventType: 'click', count: 2 },
      { eventType: 'page_view', count: 2 },
    ]);
    expect(topPages.slice(0, 2)).toEqual([
      { page: '/59', count: 4 },
      { page: '/00', count: 2 },
    ]);
  });

  it('tells how many hours may lack events, those that were never counted too', () => {
    const tally = new PeriodTally({ from: at(1), to: at(2), interval: 'hour' });
    tally.add(record(at(1, 1), countsOf([visit('u')])));
    tally.add(record(at(1, 2), countsOf([visit('u')]), true));
    tally.add(record(at(1, 3), null, true));
    expect([tally.period().total, tally.uncounted]).toEqual([2, 2]);
  });
});

describe(`GET ${OVERVIEW}`, () => {
  /** An API whose store has these hours, newest first, with so many events of one user each. */
  async function withHours(hours: [Date, number][]) {
    const store = createMemoryStore();
    await store.markHours(hours.map(([hour]) => hour));
    for (const [, total] of hours.toSorted(([a], [b]) => b.getTime() - a.getTime())) {
      const claim = await store.claimHour();
      const events = Array.from({ length: total }, () => visit('u'));
      // Behind the mark, so that the hour is clean.
      const claimedAt = new Date(Date.now() + 60_000);
      await store.keepHour({ hour: claim!.hour, claimedAt }, countsOf(events));
    }
    return createTestApi({}, { store });
  }

  const read = async (app: Parameters<typeof getAsAdmin>[0], query: string) => {
    const response = await getAsAdmin(app, `${OVERVIEW}?${query}`);
    expect(response.status).toBe(200);
    return response.body as Overview;
  };

  it('answers to the admin alone', async () => {
    const { app } = createTestApi();
    expectProblem(await request(app).get(OVERVIEW), 'unauthorized');
    expectProblem(await request(app).post(OVERVIEW), 'method-not-allowed');
  });

  it('shows a range and the one of the same length before', async () => {
    const { app } = await withHours([
      [at(1, 21), 7],
      [at(1, 22), 1],
      [at(1, 23), 2],
      [at(2, 0), 3],
      [at(2, 1), 4],
      [at(2, 2), 7],
    ]);
    const body = await read(app, 'from=2024-01-02T00:00:00Z&to=2024-01-02T02:00:00Z');
    expect(body).toEqual({
      ...{ interval: 'hour', from: at(2, 0).toJSON(), to: at(2, 2).toJSON(), total: 7, users: 1 },
      byType: [{ eventType: 'page_view', count: 7 }],
      topPages: [{ page: '/', count: 7 }],
      series: [
        { start: at(2, 0).toJSON(), count: 3, users: 1 },
        { start: at(2, 1).toJSON(), count: 4, users: 1 },
      ],
      previous: {
        ...{ from: at(1, 22).toJSON(), to: at(2, 0).toJSON(), total: 3, users: 1 },
        byType: [{ eventType: 'page_view', count: 3 }],
        topPages: [{ page: '/', count: 3 }],
        series: [
          { start: at(1, 22).toJSON(), count: 1, users: 1 },
          { start: at(1, 23).toJSON(), count: 2, users: 1 },
        ],
      },
      uncounted: 0,
    });
  });

  it.each([
    ['from=2024-01-02T10:30:00Z&to=2024-01-02T10:31:00Z', at(2, 10), at(2, 11), 1],
    ['from=2024-01-02T10:00:00Z&to=2024-01-02T12:00:00.001Z', at(2, 10), at(2, 13), 3],
    ['from=2024-01-02T10:30:00%2B02:00&to=2024-01-02T10:00:00Z', at(2, 8), at(2, 10), 2],
    ['from=2024-01-02T10:30:00Z&to=2024-01-03T00:00:00Z&interval=day', at(2), at(3), 1],
    ['from=2024-01-02&to=2024-01-03T00:00:00.001Z&interval=day', at(2), at(4), 2],
    ['to=2024-01-03T00:00:00Z', at(2), at(3), 24],
    [
      'to=9999-12-31T23:59:59.999Z&from=9999-12-31T23:00:00Z',
      '9999-12-31T23:00:00.000Z',
      '+010000-01-01T00:00:00.000Z',
      1,
    ],
  ])('%s is widened to whole intervals', async (query, from, to, buckets) => {
    const { app } = createTestApi();
    const body = await read(app, query);
    const text = (moment: Date | string) => (typeof moment === 'string' ? moment : moment.toJSON());
    expect([body.from, body.to, body.series.length]).toEqual([text(from), text(to), buckets]);
  });

  it('is of the last 24 hours unless asked otherwise', async () => {
    const { app } = createTestApi();
    const before = Date.now();
    const body = await read(app, '');
    const { to } = body;
    expect(new Date(to).getTime()).toBeGreaterThanOrEqual(before);
    expect([24, 25]).toContain(body.series.length);
    expect(body.series.at(-1)).toEqual({
      ...{ count: 0, users: 0 },
      start: new Date(new Date(to).getTime() - 3_600_000).toJSON(),
    });
  });

  it('shows a thousand intervals and no more, however many hours these are', async () => {
    const { app } = await withHours([
      [new Date(Date.UTC(2020, 0, 1)), 1],
      [new Date(Date.UTC(2022, 8, 26, 23)), 2],
      [new Date(Date.UTC(2022, 8, 27)), 4],
    ]);
    const body = await read(app, 'from=2020-01-01&to=2022-09-27&interval=day');
    expect([body.series.length, body.total, body.previous.total]).toEqual([1000, 3, 0]);
    expect((await read(app, 'from=2024-01-01&to=2024-02-11T16:00:00Z')).series).toHaveLength(1000);
    for (const query of [
      'from=2020-01-01&to=2022-09-28&interval=day',
      'from=2024-01-01&to=2024-02-11T16:00:01Z',
    ])
      expect(fieldsOf(await getAsAdmin(app, `${OVERVIEW}?${query}`), 'invalid-query')).toEqual(['from']);
  });

  it.each([
    ['from=2024-01-02&to=2024-01-02', ['from']],
    ['from=2024-01-03&to=2024-01-02', ['from']],
    ['from=3000-01-01', ['from']],
    ['from=yesterday&to=2024-13-01', ['from', 'to']],
    ['interval=minute', ['interval']],
    ['interval=toString', ['interval']],
    ['user=u', ['user']],
  ])('refuses %s and names what is wrong', async (query, fields) => {
    const { app } = createTestApi();
    expect(fieldsOf(await getAsAdmin(app, `${OVERVIEW}?${query}`), 'invalid-query')).toEqual(fields);
  });

  it('does not answer without the store', async () => {
    const store = createMemoryStore();
    const { app } = createTestApi({}, { store });
    store.away = true;
    expectProblem(await getAsAdmin(app, OVERVIEW), 'store-unavailable');
  });
});
