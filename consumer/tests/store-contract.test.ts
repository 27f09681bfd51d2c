import { setTimeout as delay } from 'node:timers/promises';
import { MongoMemoryServer } from 'mongodb-memory-server';
import { isThere, memoryServerOptions, uniqueName } from '../../tools/services/in-tests.ts';
import { type ServiceName } from '../../tools/services/start-all.ts';
import { createMemoryStore } from '../store/memory.ts';
import { openStore } from '../store/open.ts';
import {
  type DeadLetterFilter,
  type DeadLetterPosition,
  type ListFilter,
  type Position,
  type Store,
  type TailFilter,
} from '../store/store.ts';
import { noCounts, type ProcessReport } from '@event-tracker/shared/process-report';
import { createDatabase, sqlServices } from './databases.ts';
import { aDeadLetter, aDelivery, aReport } from './events.ts';

let server: MongoMemoryServer | undefined;

/** Every driver as the contract needs it: two stores on one empty database, and an event that it cannot store. */
const drivers = [
  {
    driver: 'memory',
    open: () => {
      const store = createMemoryStore('tester');
      store.rejects.add('bad');
      return Promise.resolve([store, store] as const);
    },
    badPayload: {},
  },
  {
    driver: 'mongodb',
    open: async () => {
      const url = `${server?.getUri() ?? ''}${uniqueName('contract')}`;
      const options = { worker: 'tester', timeoutMs: 10_000 };
      return [await openStore(url, options), await openStore(url, options)] as const;
    },
    badPayload: { text: 'x'.repeat(17 * 1024 * 1024) },
  },
  ...sqlServices.map((driver) => ({
    driver,
    open: async () => {
      const url = await createDatabase(driver);
      const options = { worker: 'tester', timeoutMs: 10_000 };
      return [await openStore(url, options), await openStore(url, options)] as const;
    },
    badPayload: { text: 'x'.repeat(17 * 1024 * 1024) },
  })),
];

beforeAll(async () => {
  if (isThere('mongodb')) server = await MongoMemoryServer.create(memoryServerOptions);
});
afterAll(async () => {
  await server?.stop();
});

describe.each(drivers.filter(({ driver }) => driver === 'memory' || isThere(driver as ServiceName)))(
  'store on $driver',
  ({ open, badPayload }) => {
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

    const statuses = async (...deliveries: Parameters<Store['save']>[0]) =>
      (await store.save(deliveries)).map(({ status }) => status);

    async function pages(filter: ListFilter): Promise<string[]> {
      const ids: string[] = [];
      let after: Position | undefined;
      for (;;) {
        const page = await store.list({ ...filter, ...(after && { after }) });
        ids.push(...page.map(({ eventId }) => eventId));
        after = page.at(-1);
        if (page.length < filter.limit) return ids;
      }
    }

    test('prepares twice, and two workers at once', async () => {
      await Promise.all([store.prepare(), other.prepare(), store.prepare()]);
      expect(await statuses(aDelivery())).toEqual(['stored']);
    });

    test('keeps the original event beside what happened to it', async () => {
      const delivery = { ...aDelivery({ eventId: 'one' }), attempts: 3, redelivered: true };
      await store.save([delivery]);
      expect(await store.get('one')).toEqual({
        eventId: 'one',
        userId: 'user-1',
        eventType: 'page_view',
        timestamp: new Date('2023-10-27T10:00:00.000Z'),
        payload: delivery.event.payload,
        source: 'activities',
        processing: {
          receivedAt: new Date('2023-10-27T10:00:01.000Z'),
          processedAt: expect.any(Date) as Date,
          attempts: 3,
          redelivered: true,
          worker: 'tester',
          requestId: 'request-1',
          ip: '203.0.113.7',
          userAgent: 'test',
        },
      });
      expect(await store.get('two')).toBeNull();
    });

    test('keeps payloads as they are, the empty one and awkward keys too', async () => {
      const payload = { $set: { 'a.b': { '': 0.1 } }, big: 2 ** 53 - 1, text: '\u{1F600} ü', list: [[], {}] };
      await store.save([
        aDelivery({ eventId: 'empty', payload: {} }),
        aDelivery({ eventId: 'odd', payload }),
      ]);
      expect((await store.get('empty'))?.payload).toEqual({});
      expect((await store.get('odd'))?.payload).toEqual(payload);
    });

    test('saving an event again changes nothing', async () => {
      const delivery = aDelivery({ eventId: 'again', payload: { first: true } });
      expect(await statuses(delivery)).toEqual(['stored']);
      expect(await statuses(aDelivery({ eventId: 'again', payload: { first: false } }))).toEqual([
        'duplicate',
      ]);
      expect((await store.get('again'))?.payload).toEqual({ first: true });
    });

    test('outcomes come in the order of the events, the same id twice in one call included', async () => {
      const [a, b, c] = [aDelivery(), aDelivery(), aDelivery()];
      await store.save([b]);
      expect(await statuses(a, b, a, c)).toEqual(['stored', 'duplicate', 'duplicate', 'stored']);
      expect(await statuses()).toEqual([]);
    });

    test('two workers that save the same 500 events at once leave 500', async () => {
      const deliveries = Array.from({ length: 500 }, () => aDelivery());
      const [one, two] = await Promise.all([store.save(deliveries), other.save([...deliveries].reverse())]);
      two.reverse();
      one.forEach((outcome, index) => {
        expect([outcome.status, two[index]?.status].sort()).toEqual(['duplicate', 'stored']);
      });
      expect(await pages({ limit: 500 })).toHaveLength(500);
    });

    test('a bad event keeps none of its neighbours from being stored', async () => {
      const deliveries = Array.from({ length: 20 }, () => aDelivery());
      deliveries[7] = aDelivery({ eventId: 'bad', payload: badPayload });
      const outcomes = await store.save(deliveries);
      expect(outcomes.findIndex(({ status }) => status === 'rejected')).toBe(7);
      expect(outcomes.filter(({ status }) => status === 'stored')).toHaveLength(19);
      expect(outcomes[7]).toEqual({ status: 'rejected', error: expect.stringMatching(/./) as string });
      expect(await pages({ limit: 500 })).toHaveLength(19);
    });

    test('lists newest first, ids breaking ties, page by page without gap or repetition', async () => {
      const at = (second: number) => `2024-01-01T00:00:0${second}.000Z`;
      const ids = ['a', 'b', 'c', 'é', '\u{FF5E}', '\u{1F600}'];
      await store.save([
        ...ids.map((eventId) => aDelivery({ eventId, timestamp: at(5) })),
        aDelivery({ eventId: 'newest', timestamp: at(9) }),
        aDelivery({ eventId: 'oldest', timestamp: at(1) }),
      ]);
      const expected = ['newest', ...[...ids].reverse(), 'oldest'];
      for (const limit of [1, 2, 3, 500]) expect(await pages({ limit })).toEqual(expected);
    });

    test('filters by user, by type, and by time with an open end', async () => {
      const at = (second: number) => `2024-01-01T00:00:0${second}.000Z`;
      const date = (second: number) => new Date(at(second));
      await store.save([
        aDelivery({ eventId: '1', userId: 'u', eventType: 'x', timestamp: at(1) }),
        aDelivery({ eventId: '2', userId: 'u', eventType: 'y', timestamp: at(2) }),
        aDelivery({ eventId: '3', userId: 'v', eventType: 'x', timestamp: at(3) }),
        aDelivery({ eventId: '4', userId: 'u', eventType: 'x', timestamp: at(4) }),
      ]);
      const cases: [Omit<ListFilter, 'limit'>, string[]][] = [
        [{ userId: 'u' }, ['4', '2', '1']],
        [{ eventType: 'x' }, ['4', '3', '1']],
        [{ userId: 'u', eventType: 'x' }, ['4', '1']],
        [{ from: date(2) }, ['4', '3', '2']],
        [{ to: date(3) }, ['2', '1']],
        [{ userId: 'u', from: date(2), to: date(4) }, ['2']],
        [{ userId: 'nobody' }, []],
      ];
      for (const [filter, expected] of cases) {
        for (const limit of [1, 500]) expect(await pages({ ...filter, limit })).toEqual(expected);
      }
    });

    test('a position outside of the time range does not widen it', async () => {
      await store.save([aDelivery({ eventId: 'x', timestamp: '2024-01-01T00:00:05.000Z' })]);
      const after = { timestamp: new Date('2024-01-01T00:00:09.000Z'), eventId: 'z' };
      const to = new Date('2024-01-01T00:00:05.000Z');
      expect(await store.list({ limit: 10, after, to })).toEqual([]);
      expect(await store.list({ limit: 10, after, from: new Date('2024-01-01T00:00:06.000Z') })).toEqual([]);
      expect(await store.list({ limit: 10, after, from: to })).toHaveLength(1);
    });

    test('what no activity can be is not found, and a position of any time is one', async () => {
      await store.save([aDelivery({ eventId: 'x' })]);
      for (const text of ['a\0b', '\ud800', '']) {
        expect(await store.get(text)).toBeNull();
        expect(await store.getDead(text)).toBeNull();
        expect(await store.list({ limit: 10, userId: text })).toEqual([]);
        expect(await store.listDead({ limit: 10, eventType: text })).toEqual([]);
      }
      const listedBehind = async (at: number) =>
        (await store.list({ limit: 10, after: { timestamp: new Date(at), eventId: 'z' } })).length;
      expect(await listedBehind(8.64e15)).toBe(1);
      expect(await listedBehind(-8.64e15)).toBe(0);
    });

    /** Saves events one after the other, each at a moment of its own. */
    async function saveInTurn(...deliveries: Parameters<Store['save']>[0]): Promise<void> {
      for (const delivery of deliveries) {
        await store.save([delivery]);
        await delay(2);
      }
    }

    test('tells what was stored last, newest first, whatever its own time', async () => {
      await saveInTurn(
        aDelivery({ eventId: 'first', timestamp: '2030-01-01T00:00:00.000Z' }),
        aDelivery({ eventId: 'second', timestamp: '1999-01-01T00:00:00.000Z' }),
        aDelivery({ eventId: 'third', timestamp: '2025-01-01T00:00:00.000Z' }),
      );
      const ids = async (filter: Partial<TailFilter> & { limit: number }) =>
        (await other.tail({ since: new Date(0), ...filter })).map(({ eventId }) => eventId);
      expect(await ids({ limit: 10 })).toEqual(['third', 'second', 'first']);
      expect(await ids({ limit: 2 })).toEqual(['third', 'second']);
      const { processedAt } = (await store.get('second'))!.processing;
      expect(await ids({ limit: 10, since: processedAt })).toEqual(['third', 'second']);
      expect(await ids({ limit: 1, since: processedAt })).toEqual(['third']);
      expect(await ids({ limit: 10, since: new Date(Date.now() + 60_000) })).toEqual([]);
    });

    test('tells of an activity all that is small', async () => {
      await store.save([aDelivery({ eventId: 'one', source: 's'.repeat(300) })]);
      expect(await store.tail({ since: new Date(0), limit: 1 })).toEqual([
        {
          eventId: 'one',
          userId: 'user-1',
          eventType: 'page_view',
          timestamp: new Date('2023-10-27T10:00:00.000Z'),
          page: '/home',
          source: 's'.repeat(200),
          receivedAt: new Date('2023-10-27T10:00:01.000Z'),
          processedAt: (await store.get('one'))!.processing.processedAt,
        },
      ]);
    });

    test('tells the page of an activity where it has one', async () => {
      const payloads = {
        path: { path: '/path', page: '/page' },
        page: { path: { page: '/deep' }, page: '/page', page_path: '/other' },
        page_path: { path: ['/list'], page: 7, page_path: '/page_path' },
        none: { 'payload.path': '/dots', title: 'x' },
        empty: {},
        long: { path: `${'\u{1F600}'.repeat(99)}xy${'z'.repeat(5000)}` },
        halved: { path: `${'x'.repeat(199)}\u{1F600}` },
      };
      await store.save(Object.entries(payloads).map(([eventId, payload]) => aDelivery({ eventId, payload })));
      const tail = await store.tail({ since: new Date(0), limit: 10 });
      expect(Object.fromEntries(tail.map(({ eventId, page }) => [eventId, page]))).toEqual({
        path: '/path',
        page: '/page',
        page_path: '/page_path',
        none: null,
        empty: null,
        long: `${'\u{1F600}'.repeat(99)}xy`,
        halved: 'x'.repeat(199),
      });
    });

    test('tells what was stored at one moment in the same order each time', async () => {
      await store.save(Array.from({ length: 500 }, () => aDelivery()));
      const tail = await store.tail({ since: new Date(0), limit: 500 });
      expect(new Set(tail.map(({ eventId }) => eventId)).size).toBe(500);
      expect(await other.tail({ since: new Date(0), limit: 200 })).toEqual(tail.slice(0, 200));
    });

    test('ids, users and types are told apart by case, accent and trailing blank', async () => {
      const texts = ['name', 'Name', 'n\u00e4me', 'na\u0308me', 'name ', ' name', 'na\u200bme', '\u{1F600}'];
      const deliveries = texts.map((text) => aDelivery({ eventId: text, userId: text, eventType: text }));
      expect(new Set(await statuses(...deliveries))).toEqual(new Set(['stored']));
      for (const text of texts) {
        expect((await store.get(text))?.eventId).toBe(text);
        expect(await pages({ userId: text, limit: 10 })).toEqual([text]);
        expect(await pages({ eventType: text, limit: 10 })).toEqual([text]);
      }
    });

    test('times are kept to the millisecond, from the year 1000 to 9999', async () => {
      const times = ['1000-01-01T00:00:00.000Z', '1969-12-31T23:59:59.999Z', '2024-03-31T01:30:00.001Z'];
      times.push('2024-10-27T00:30:00.999Z', '9999-12-31T23:59:59.999Z');
      await store.save(times.map((timestamp) => aDelivery({ eventId: timestamp, timestamp })));
      for (const time of times) expect((await store.get(time))?.timestamp).toEqual(new Date(time));
      expect(await pages({ limit: 2 })).toEqual(times.toReversed());
    });

    test('keeps the longest names and texts that an event may have', async () => {
      const [id, user, long] = ['\uffff'.repeat(128), '\uffff'.repeat(256), 'ä'.repeat(100_000)];
      const delivery = aDelivery({ eventId: id, userId: user, eventType: id, source: long, userAgent: long });
      expect(await statuses(delivery)).toEqual(['stored']);
      const { userId, source, processing } = (await store.get(id))!;
      expect([userId, source === long, processing.userAgent === long]).toEqual([user, true, true]);
    });

    test('keeps dead letters byte by byte, and shows lists without their bodies', async () => {
      const letter = aDeadLetter({ id: 'letter' });
      const newer = aDeadLetter({
        diedAt: new Date('2024-01-02T00:00:00.000Z'),
        eventId: 'e',
        eventType: null,
        details: [],
      });
      await store.recordDead([letter, newer]);
      await other.recordDead([]);
      const heads = [newer, letter].map(({ body: _body, ...head }) => head);
      expect(await other.listDead({ limit: 10 })).toEqual(heads);
      expect(await other.listDead({ limit: 1 })).toEqual([heads[0]]);
      const kept = await other.getDead('letter');
      expect(kept).toEqual(letter);
      expect(Buffer.isBuffer(kept?.body)).toBe(true);
      expect(await other.getDead('another')).toBeNull();
    });

    test('a letter that dies again is replaced, and removing the earlier death leaves it', async () => {
      const first = aDeadLetter({ id: 'again' });
      const second = aDeadLetter({ id: 'again', error: 'later', attempts: 9, diedAt: new Date() });
      const gone = aDeadLetter({ id: 'gone' });
      await store.recordDead([first, gone]);
      await other.recordDead([second]);
      expect(await store.deleteDead([first, gone])).toBe(1);
      expect(await store.getDead('again')).toEqual(second);
      expect(await store.deleteDead([second])).toBe(1);
      expect(await store.deleteDead([second])).toBe(0);
      expect(await store.deleteDead([])).toBe(0);
      expect(await store.listDead({ limit: 10 })).toEqual([]);
    });

    test('of letters that are kept at once, a large one keeps none of the others out', async () => {
      const letters = Array.from({ length: 5 }, () => aDeadLetter());
      letters[2] = aDeadLetter({ body: Buffer.alloc(17 * 1024 * 1024, 'x') });
      await store.recordDead(letters);
      await store.recordDead(letters);
      expect(await store.listDead({ limit: 10 })).toHaveLength(5);
    });

    async function deadPages(filter: DeadLetterFilter): Promise<string[]> {
      const ids: string[] = [];
      let after: DeadLetterPosition | undefined;
      for (;;) {
        const page = await store.listDead({ ...filter, ...(after && { after }) });
        ids.push(...page.map(({ id }) => id));
        after = page.at(-1);
        if (page.length < filter.limit) return ids;
      }
    }

    test('lists dead letters by reason, type and time, newest first, without gap or repetition', async () => {
      const date = (second: number) => new Date(`2024-01-01T00:00:0${second}.000Z`);
      await store.recordDead([
        aDeadLetter({ id: '1', diedAt: date(1), reason: 'invalid-json', eventType: null }),
        aDeadLetter({ id: 'a', diedAt: date(2), eventType: 'x' }),
        aDeadLetter({ id: 'b', diedAt: date(2), eventType: 'y' }),
        aDeadLetter({ id: 'c', diedAt: date(2), eventType: 'x', reason: 'crash-loop' }),
        aDeadLetter({ id: '3', diedAt: date(3), eventType: 'x' }),
      ]);
      const cases: [Omit<DeadLetterFilter, 'limit'>, string[]][] = [
        [{}, ['3', 'c', 'b', 'a', '1']],
        [{ reason: 'invalid-event' }, ['3', 'b', 'a']],
        [{ eventType: 'x' }, ['3', 'c', 'a']],
        [{ reason: 'crash-loop', eventType: 'x' }, ['c']],
        [{ from: date(2) }, ['3', 'c', 'b', 'a']],
        [{ to: date(2) }, ['1']],
        [{ from: date(2), to: date(3) }, ['c', 'b', 'a']],
        [{ reason: 'rejected-by-store' }, []],
      ];
      for (const [filter, expected] of cases) {
        for (const limit of [1, 2, 500]) expect(await deadPages({ ...filter, limit })).toEqual(expected);
      }
    });

    test('counts attempts until they are forgotten, whoever counts', async () => {
      expect(await store.readAttempts(['a', 'b'])).toEqual([0, 0]);
      await store.countAttempts(['a', 'b']);
      await Promise.all([store.countAttempts(['a']), other.countAttempts(['a']), store.countAttempts(['a'])]);
      expect(await other.readAttempts(['b', 'c', 'a', 'b'])).toEqual([1, 0, 4, 1]);
      await other.forgetAttempts(['a', 'c']);
      expect(await store.readAttempts(['a', 'b'])).toEqual([0, 1]);
      await store.countAttempts([]);
      await store.forgetAttempts([]);
      await store.countAttempts(['a']);
      expect(await store.readAttempts(['a'])).toEqual([1]);
    });

    test('counts attempts of tens of thousands of messages at once', async () => {
      const keys = Array.from({ length: 22_000 }, (_, index) => `key-${index}`);
      await store.countAttempts(keys);
      await store.countAttempts(keys.slice(0, 2));
      expect(new Set(await other.readAttempts(keys.slice(2)))).toEqual(new Set([1]));
      expect(await other.readAttempts(keys.slice(0, 3))).toEqual([2, 2, 1]);
      await store.forgetAttempts(keys);
      expect(new Set(await store.readAttempts(keys))).toEqual(new Set([0]));
    });

    const ids = (reports: readonly ProcessReport[]) => reports.map(({ id }) => id).sort();
    const storedCount = async () => {
      const { processes, folded } = await other.listProcesses();
      return processes.reduce((sum, { counts }) => sum + counts.stored, folded.stored);
    };

    test('keeps the last report of each process', async () => {
      expect(await store.listProcesses()).toEqual({ processes: [], folded: noCounts() });
      const first = aReport();
      const api = aReport({ service: 'api', depth: 7, limiterDegraded: true });
      for (const report of [first, api]) expect(await store.reportProcess(report, true)).toBe(true);
      const later = { ...first, quietMs: 0, counts: { ...noCounts(), stored: 5 }, latencies: {} };
      expect(await store.reportProcess(later, false)).toBe(true);
      const { processes, folded } = await other.listProcesses();
      expect(processes.find(({ id }) => id === first.id)).toEqual(later);
      expect(processes.find(({ id }) => id === api.id)).toEqual(api);
      expect([processes.length, folded]).toEqual([2, noCounts()]);
    });

    test('a final report is the last one', async () => {
      const report = aReport();
      await store.reportProcess(report, true);
      expect(await store.reportProcess({ ...report, ended: true }, false)).toBe(true);
      expect(await store.reportProcess(report, false)).toBe(false);
      expect((await store.listProcesses()).processes).toMatchObject([{ ended: true }]);
    });

    test('folds what has ended and what was silent, each once, and the sums stay', async () => {
      const at = (minute: number) => new Date(Date.UTC(2024, 0, 1, 0, minute));
      const [running, silent] = [aReport({ reportedAt: at(9) }), aReport({ reportedAt: at(1) })];
      const ended = Array.from({ length: 20 }, () => aReport({ ended: true, reportedAt: at(9) }));
      for (const report of [running, silent, ...ended]) await store.reportProcess(report, true);
      await Promise.all([store, other, store, other].map((one) => one.foldProcesses(at(5))));
      await store.foldProcesses(at(5));
      const { processes, folded } = await store.listProcesses();
      expect(ids(processes)).toEqual([running.id]);
      expect(folded).toEqual({ ...noCounts(), stored: 21 });
      expect(await storedCount()).toBe(22);
      // It comes back, is told that it was taken for ended, and would have been counted twice.
      expect(await store.reportProcess(silent, false)).toBe(false);
      expect(await store.reportProcess(running, false)).toBe(true);
      expect(await storedCount()).toBe(22);
    });

    test('answers a ping', async () => {
      await store.ping();
    });
  },
);
