import { MongoMemoryServer } from 'mongodb-memory-server';
import { isThere, memoryServerOptions, uniqueName, until } from '../../tools/services/in-tests.ts';
import { type ServiceName } from '../../tools/services/start-all.ts';
import { HOUR_MS } from '../store/hour-counts.ts';
import { createMemoryStore } from '../store/memory.ts';
import { openStore } from '../store/open.ts';
import {
  type CountedPage,
  type HourClaim,
  type HourCounts,
  MARK_MS,
  type Position,
  RECOUNT_MS,
  type Store,
} from '../store/store.ts';
import { createDatabase, sqlServices } from './databases.ts';
import { aDelivery } from './events.ts';

let server: MongoMemoryServer | undefined;
const options = { worker: 'tester', timeoutMs: 10_000 };
const openTwice = async (url: string) =>
  [await openStore(url, options), await openStore(url, options)] as const;

/** Every driver: two stores on one empty database. */
const drivers = [
  {
    driver: 'memory',
    open: () => {
      const store = createMemoryStore('tester');
      return Promise.resolve([store, store] as const);
    },
  },
  { driver: 'mongodb', open: () => openTwice(`${server?.getUri() ?? ''}${uniqueName('hours')}`) },
  ...sqlServices.map((driver) => ({ driver, open: async () => openTwice(await createDatabase(driver)) })),
];

beforeAll(async () => {
  if (isThere('mongodb')) server = await MongoMemoryServer.create(memoryServerOptions);
});
afterAll(async () => {
  await server?.stop();
});

const at = (hour: number, minute = 0) => new Date(Date.UTC(2024, 0, 1, hour, minute));
const ALL = [at(0), at(24)] as const;
const counts = (total: number): HourCounts => ({
  total,
  byType: [['$type', total]],
  pages: [['/ü?"\\', total]],
  users: 'AAAA',
});

describe.each(drivers.filter(({ driver }) => driver === 'memory' || isThere(driver as ServiceName)))(
  'hours on $driver',
  ({ open }) => {
    let store: Store;
    let other: Store;

    beforeEach(async () => {
      [store, other] = await open();
      await store.prepare();
    });
    afterEach(async () => {
      await store.close();
      await other.close();
    });

    async function claimOne(): Promise<HourClaim> {
      const claim = await store.claimHour();
      if (!claim) throw new Error('nothing to claim');
      return claim;
    }
    /** A claim of the same hour as if it were made so much later. */
    const later = ({ hour, claimedAt }: HourClaim, ms: number): HourClaim => ({
      hour,
      claimedAt: new Date(claimedAt.getTime() + ms),
    });

    test('an hour is listed from its first mark on, oldest first', async () => {
      expect(await store.listHours(...ALL)).toEqual([]);
      await store.markHours([at(3), at(1)]);
      await other.markHours([at(2), at(3)]);
      await store.markHours([]);
      const dirty = (hour: number) => ({ hour: at(hour), isDirty: true, counts: null });
      expect(await store.listHours(...ALL)).toEqual([dirty(1), dirty(2), dirty(3)]);
      expect(await store.listHours(at(1), at(3))).toEqual([dirty(1), dirty(2)]);
      expect(await store.listHours(at(4), at(9))).toEqual([]);
    });

    test('hours are claimed newest first, each by one worker, however many ask', async () => {
      expect(await store.claimHour()).toBeNull();
      await store.markHours([at(1), at(2), at(3), at(4)]);
      expect((await claimOne()).hour).toEqual(at(4));
      const claims: HourClaim[] = [];
      await until(async () => {
        const some = await Promise.all([store, other, store, other].map((one) => one.claimHour()));
        claims.push(...some.filter((claim) => claim !== null));
        return claims.length >= 3;
      });
      expect(claims.map(({ hour }) => hour.getUTCHours()).sort()).toEqual([1, 2, 3]);
      expect(await store.claimHour()).toBeNull();
    });

    test('a claim tells the moment at which it was made', async () => {
      await store.markHours([at(1)]);
      // The databases of the tests have the clock of this machine, which some of them round.
      const before = Date.now() - 1;
      const { claimedAt } = await claimOne();
      expect(claimedAt.getTime()).toBeGreaterThanOrEqual(before);
      expect(claimedAt.getTime()).toBeLessThanOrEqual(Date.now() + 1);
    });

    test('the earliest and the latest hour are hours too', async () => {
      const [first, last] = [new Date('1000-01-01T00:00:00.000Z'), new Date('9999-12-31T23:00:00.000Z')];
      const [before, behind] = [new Date(first.getTime() - HOUR_MS), new Date(last.getTime() + HOUR_MS)];
      await store.markHours([first, last]);
      await store.keepHour(await claimOne(), counts(9999));
      await store.keepHour(await claimOne(), counts(1000));
      expect(await other.listHours(before, behind)).toMatchObject([
        { hour: first, counts: counts(1000) },
        { hour: last, counts: counts(9999) },
      ]);
      const ids = ['1000-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'];
      await store.save(ids.map((time) => aDelivery({ eventId: time, userId: time, timestamp: time })));
      const found = async (from: Date, to: Date) => (await store.scan({ from, to, limit: 10 })).userIds;
      expect(await found(before, behind)).toEqual(ids.toReversed());
      expect(await found(last, behind)).toEqual([ids[1]]);
    });

    test('an hour stays dirty until it is counted by a claim from behind its mark', async () => {
      await store.markHours([at(1)]);
      const claim = await claimOne();
      await store.keepHour(claim, counts(1));
      expect(await store.listHours(...ALL)).toEqual([{ hour: at(1), isDirty: true, counts: counts(1) }]);
      await store.keepHour(later(claim, MARK_MS + 1000), counts(2));
      expect(await store.listHours(...ALL)).toEqual([{ hour: at(1), isDirty: false, counts: counts(2) }]);
      await other.markHours([at(1)]);
      expect(await store.listHours(...ALL)).toEqual([{ hour: at(1), isDirty: true, counts: counts(2) }]);
    });

    test('counts of an earlier claim never replace those of a later one', async () => {
      await store.markHours([at(1)]);
      const claim = await claimOne();
      await store.keepHour(later(claim, 1), counts(2));
      await other.keepHour(claim, counts(1));
      await other.keepHour(later(claim, 1), counts(3));
      expect((await store.listHours(...ALL))[0]?.counts).toEqual(counts(2));
    });

    test('a mark keeps an hour dirty for its whole time, whoever else marks it', async () => {
      await store.markHours([at(1)]);
      const claim = await claimOne();
      await Promise.all([store, other, store].map((one) => one.markHours([at(1), at(2)])));
      await store.keepHour(later(claim, MARK_MS - 1), counts(1));
      expect((await store.listHours(at(1), at(2)))[0]?.isDirty).toBe(true);
    });

    test('a shorter mark takes nothing from a longer one, and is over with the next claim', async () => {
      await store.markHours([at(1)]);
      await other.markHours([at(1), at(2)], 0);
      // A claim of the same millisecond as the mark might have missed something.
      const claim = async () => later(await claimOne(), 1);
      await store.keepHour(await claim(), counts(2));
      await store.keepHour(await claim(), counts(1));
      expect(await store.listHours(...ALL)).toMatchObject([{ isDirty: true }, { isDirty: false }]);
    });

    test('an hour that was counted rests, and is claimed again while it is dirty', async () => {
      await store.markHours([at(1)]);
      const first = await claimOne();
      await store.keepHour(first, counts(1));
      await store.markHours([at(1)]);
      let again: HourClaim | null = null;
      await until(async () => (again = await other.claimHour()) !== null);
      expect(again!.hour).toEqual(at(1));
      expect(again!.claimedAt >= later(first, RECOUNT_MS).claimedAt).toBe(true);
    });

    test('a clean hour is not claimed', async () => {
      await store.markHours([at(1), at(2)]);
      await store.keepHour(later(await claimOne(), MARK_MS + 1000), counts(1));
      expect((await claimOne()).hour).toEqual(at(1));
      expect(await store.claimHour()).toBeNull();
    });

    test('marks ten thousand hours at once', async () => {
      const hours = Array.from({ length: 10_000 }, (_, index) => new Date(at(0).getTime() + index * HOUR_MS));
      await store.markHours(hours);
      await store.markHours(hours.toReversed());
      expect(await store.listHours(at(0), new Date(at(0).getTime() + 10_000 * HOUR_MS))).toHaveLength(10_000);
    });

    test('a scan finds each activity of an hour once, page by page, with its page', async () => {
      const events = [
        { timestamp: at(1), payload: { path: '/a', page: '/not-this' } },
        { timestamp: at(1), payload: { path: 7, page: '/b' }, userId: 'v' },
        { timestamp: at(1, 59), payload: { page_path: '/c' }, eventType: 'click' },
        { timestamp: at(1, 30), payload: { other: '/d', nested: { path: '/e' } } },
        { timestamp: at(1, 30), payload: { path: 'x'.repeat(300), filler: 'y'.repeat(100_000) } },
        { timestamp: at(2), payload: { path: '/too-late' } },
        { timestamp: new Date(at(1).getTime() - 1), payload: { path: '/too-early' } },
      ];
      await store.save(
        events.map(({ timestamp, ...event }, index) =>
          aDelivery({ eventId: `${index}`, ...event, timestamp: timestamp.toISOString() }),
        ),
      );
      for (const limit of [1, 2, 3, 5, 100]) {
        const found: Omit<CountedPage, 'next'> = { eventTypes: [], userIds: [], pages: [] };
        let after: Position | null = null;
        do {
          const page: CountedPage = await store.scan({
            from: at(1),
            to: at(2),
            limit,
            ...(after && { after }),
          });
          expect(page.eventTypes.length).toBeLessThanOrEqual(limit);
          for (const column of ['eventTypes', 'userIds', 'pages'] as const)
            found[column].push(...page[column]);
          after = page.next;
        } while (after);
        expect(found).toEqual({
          eventTypes: ['click', 'page_view', 'page_view', 'page_view', 'page_view'],
          userIds: ['user-1', 'user-1', 'user-1', 'v', 'user-1'],
          pages: ['/c', 'x'.repeat(200), '/b', '/a'],
        });
      }
      expect(await store.scan({ limit: 1 })).toMatchObject({ next: { eventId: '5', timestamp: at(2) } });
    });
  },
);
