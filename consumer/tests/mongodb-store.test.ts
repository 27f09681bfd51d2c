import { ConfigurationError, StoreUnavailable } from '@event-tracker/shared/errors';
import { MongoClient, type Document } from 'mongodb';
import { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import { startMongod } from '../../tools/mongod/start.ts';
import { stopMonitors } from '../../tools/mongod/stop-monitors.ts';
import { freePort } from '../../tools/services/free-port.ts';
import { describeWith, memoryServerOptions, until } from '../../tools/services/in-tests.ts';
import { openStore } from '../store/open.ts';
import { durableWriteConcern } from '@event-tracker/shared/mongodb';
import { activityConditions, deadLetterConditions } from '../store/mongodb-page.ts';
import { tailPipeline } from '../store/mongodb-tail.ts';
import { ATTEMPTS_TTL_MS, type DeadLetterFilter, type ListFilter, type Store } from '../store/store.ts';
import { aDeadLetter, aDelivery } from './events.ts';

const options = { worker: 'tester', timeoutMs: 5000 };
const sixteenMebibytes = 16 * 1024 * 1024;

/** The names of all stages of the plan that was taken. */
function winning(plan: Document): string[] {
  const { winningPlan } = plan.queryPlanner as Document;
  return [...JSON.stringify(winningPlan).matchAll(/"stage":"(\w+)"/g)].map(([, stage = '']) => stage);
}

describeWith('mongodb', 'documents in MongoDB', () => {
  let server: MongoMemoryServer;
  let client: MongoClient;
  let store: Store;

  beforeAll(async () => {
    server = await MongoMemoryServer.create(memoryServerOptions);
    client = new MongoClient(server.getUri());
    store = await openStore(server.getUri().replace(/\/$/, ''), options);
    await store.prepare();
  });
  afterAll(async () => {
    await store.close();
    await client.close();
    await server.stop();
  });

  const activities = () => client.db('activity_db').collection<Document & { _id: string }>('activities');

  test('without a database in the URL it is activity_db, and the document is as agreed', async () => {
    await store.save([aDelivery({ eventId: 'shape', payload: {} })]);
    expect(await activities().findOne({ _id: 'shape' })).toEqual({
      _id: 'shape',
      eventId: 'shape',
      userId: 'user-1',
      eventType: 'page_view',
      timestamp: new Date('2023-10-27T10:00:00.000Z'),
      payload: {},
      source: 'activities',
      processing: {
        receivedAt: new Date('2023-10-27T10:00:01.000Z'),
        processedAt: expect.any(Date) as Date,
        attempts: 1,
        redelivered: false,
        worker: 'tester',
        requestId: 'request-1',
        ip: '203.0.113.7',
        userAgent: 'test',
      },
    });
  });

  test('the indexes are those of the lists, and no other is unique', async () => {
    const indexes = await activities().indexes();
    expect(indexes.map(({ key }) => Object.entries(key as object))).toEqual(
      expect.arrayContaining([
        [['_id', 1]],
        Object.entries({ userId: 1, timestamp: -1, _id: -1 }),
        Object.entries({ eventType: 1, timestamp: -1, _id: -1 }),
        Object.entries({ timestamp: -1, _id: -1 }),
        Object.entries({ 'processing.processedAt': 1 }),
      ]),
    );
    expect(indexes).toHaveLength(5);
    expect(indexes.some(({ unique }) => unique)).toBe(false);
  });

  test('every list and every get reads an index, sorts nothing, and reads no more than its page', async () => {
    const timestamp = '2025-01-01T00:00:00.000Z';
    const ids = Array.from({ length: 400 }, (_, index) => `same-${String(index).padStart(3, '0')}`);
    await store.save(
      ids.map((eventId) => aDelivery({ eventId, timestamp, userId: 'same', eventType: 'same' })),
    );
    const after = { timestamp: new Date(timestamp), eventId: 'same-200' };
    const from = new Date('2024-12-31T00:00:00.000Z');
    const filters: Omit<ListFilter, 'limit'>[] = [
      {},
      { userId: 'same' },
      { eventType: 'same' },
      { userId: 'same', eventType: 'same' },
      { from, to: new Date('2025-01-02T00:00:00.000Z') },
      { after },
      { userId: 'same', after, from },
      { eventType: 'same', after },
    ];
    for (const filter of filters) {
      const page = await store.list({ ...filter, limit: 10 });
      expect(page).toHaveLength(10);
      const plan = await explain(filter);
      expect([filter, winning(plan)]).toEqual([filter, expect.arrayContaining(['IXSCAN'])]);
      expect(winning(plan)).not.toContain('COLLSCAN');
      expect(winning(plan)).not.toContain('SORT');
      expect(Number((plan.executionStats as Document).totalDocsExamined)).toBeLessThanOrEqual(12);
    }
    const get = await activities().find({ _id: 'same-001' }).explain('executionStats');
    expect(winning(get).join()).toMatch(/IDHACK|EXPRESS|IXSCAN/);
  });

  async function explain(filter: Omit<ListFilter, 'limit'>): Promise<Document> {
    return activities()
      .find(activityConditions({ ...filter, limit: 10 }) as Document)
      .sort({ timestamp: -1, _id: -1 })
      .limit(10)
      .explain('executionStats');
  }

  test('the tail reads its index, sorts nothing, and reads no more than it brings', async () => {
    await store.save(Array.from({ length: 100 }, () => aDelivery()));
    expect(await store.tail({ since: new Date(0), limit: 10 })).toHaveLength(10);
    for (const since of [new Date(0), new Date('2024-12-31T00:00:00.000Z')]) {
      const pipeline = tailPipeline({ since, limit: 10 });
      const explained = await activities().aggregate(pipeline).explain('executionStats');
      const [cursor] = (explained.stages ?? []) as Document[];
      const plan = (cursor?.$cursor ?? explained) as Document;
      expect(winning(plan)).toEqual(expect.arrayContaining(['IXSCAN']));
      expect(winning(plan)).not.toContain('SORT');
      expect(Number((plan.executionStats as Document).totalDocsExamined)).toBe(10);
    }
  });

  test('every list of dead letters reads an index, sorts nothing, and reads no more than its page', async () => {
    const diedAt = new Date('2025-01-01T00:00:00.000Z');
    const ids = Array.from({ length: 400 }, (_, index) => `same-${String(index).padStart(3, '0')}`);
    await store.recordDead(
      ids.map((id) => aDeadLetter({ id, diedAt, reason: 'crash-loop', eventType: 'same' })),
    );
    const after = { diedAt, id: 'same-200' };
    const from = new Date('2024-12-31T00:00:00.000Z');
    const filters: Omit<DeadLetterFilter, 'limit'>[] = [
      {},
      { reason: 'crash-loop' },
      { eventType: 'same' },
      { reason: 'crash-loop', eventType: 'same' },
      { from, to: new Date('2025-01-02T00:00:00.000Z') },
      { after },
      { reason: 'crash-loop', after, from },
      { eventType: 'same', after },
    ];
    for (const filter of filters) {
      expect(await store.listDead({ ...filter, limit: 10 })).toHaveLength(10);
      const plan = await client
        .db('activity_db')
        .collection('dead_letters')
        .find(deadLetterConditions({ ...filter, limit: 10 }) as Document)
        .sort({ diedAt: -1, _id: -1 })
        .limit(10)
        .explain('executionStats');
      expect([filter, winning(plan)]).toEqual([filter, expect.arrayContaining(['IXSCAN'])]);
      expect(winning(plan)).not.toContain('COLLSCAN');
      expect(winning(plan)).not.toContain('SORT');
      expect(Number((plan.executionStats as Document).totalDocsExamined)).toBeLessThanOrEqual(12);
    }
  });

  test('attempts are forgotten by themselves', async () => {
    await store.countAttempts(['counted']);
    const attempts = client.db('activity_db').collection('delivery_attempts');
    expect(await attempts.findOne()).toEqual({
      _id: 'counted',
      attempts: 1,
      countedAt: expect.any(Date) as Date,
    });
    expect(await attempts.indexes()).toContainEqual(
      expect.objectContaining({ key: { countedAt: 1 }, expireAfterSeconds: ATTEMPTS_TTL_MS / 1000 }),
    );
  });

  test.each([
    ['just over the limit', sixteenMebibytes],
    ['far over the limit', 2.5 * sixteenMebibytes],
  ])('a document %s is rejected and its neighbours are stored', async (_title, length) => {
    const large = aDelivery({ payload: { text: 'x'.repeat(length) } });
    const outcomes = await store.save([aDelivery(), aDelivery(), large, aDelivery()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['stored', 'stored', 'rejected', 'stored']);
    expect(outcomes[2]).toEqual({
      status: 'rejected',
      error: expect.stringMatching(/too large|larger/) as string,
    });
  });

  test('a document that the driver cannot write is rejected alone', async () => {
    const deliveries = [
      aDelivery(),
      aDelivery({ payload: { 'a\0b': 1 } }),
      aDelivery({ payload: { _bsontype: 'Foreign' } }),
      aDelivery(),
    ];
    const outcomes = await store.save(deliveries);
    expect(outcomes.map(({ status }) => status)).toEqual(['stored', 'rejected', 'rejected', 'stored']);
  });

  test('a document that a validator of the collection refuses is rejected alone', async () => {
    const database = client.db('guarded');
    await database.createCollection('activities', { validator: { userId: { $ne: 'refused' } } });
    const guarded = await openStore(`${server.getUri()}guarded`, options);
    const outcomes = await guarded.save([aDelivery(), aDelivery({ userId: 'refused' }), aDelivery()]);
    await guarded.close();
    expect(outcomes.map(({ status }) => status)).toEqual(['stored', 'rejected', 'stored']);
    expect(outcomes[1]).toMatchObject({ error: expect.stringMatching(/121/) as string });
  });

  test('a unique index of someone else makes no duplicates', async () => {
    await client.db('narrow').collection('activities').createIndex({ userId: 1 }, { unique: true });
    const narrow = await openStore(`${server.getUri()}narrow`, options);
    const outcomes = await narrow.save([aDelivery({ userId: 'same' }), aDelivery({ userId: 'same' })]);
    await narrow.close();
    expect(outcomes.map(({ status }) => status)).toEqual(['stored', 'rejected']);
  });

  test('of a body that no document holds, the dead letter keeps the beginning and says so', async () => {
    const body = Buffer.alloc(sixteenMebibytes + 1, 'x');
    await store.recordDead([aDeadLetter({ id: 'large', body, error: 'is too large' })]);
    const letter = await store.getDead('large');
    expect(letter?.body.length).toBe(15 * 1024 * 1024);
    expect(letter?.error).toMatch(/^is too large \(of its 16777217 bytes/);
  });
});

describeWith('mongodb', 'a MongoDB that fails', () => {
  test('killed, every call fails as unavailable; back, the same store works', async () => {
    const mongod = await startMongod();
    const store = await openStore(mongod.url, { worker: 'tester', timeoutMs: 1000 });
    try {
      await store.prepare();
      const before = aDelivery();
      await store.save([before]);
      await mongod.kill();
      const calls = [
        () => store.save([aDelivery()]),
        () => store.recordDead([aDeadLetter()]),
        () => store.prepare(),
        () => store.list({ limit: 1 }),
        () => store.get('x'),
        () => store.listDead({ limit: 1 }),
        () => store.getDead('x'),
        () => store.deleteDead([aDeadLetter()]),
        () => store.readAttempts(['x']),
        () => store.countAttempts(['x']),
        () => store.forgetAttempts(['x']),
        () => store.ping(),
      ];
      for (const call of calls) await expect(call()).rejects.toBeInstanceOf(StoreUnavailable);
      await mongod.restart();
      expect(await store.save([before, aDelivery()])).toEqual([
        { status: 'duplicate' },
        { status: 'stored' },
      ]);
    } finally {
      await store.close();
      await mongod.stop();
    }
  });

  test('one that its driver has stopped looking for is found all the same', async () => {
    const connect = jest.spyOn(mongoose.mongo.MongoClient.prototype, 'connect');
    const mongod = await startMongod();
    const store = await openStore(mongod.url, { worker: 'tester', timeoutMs: 1000 });
    try {
      await store.prepare();
      stopMonitors(connect.mock.contexts[0]);
      mongod.pause();
      const saving = expect(store.save([aDelivery()])).rejects.toBeInstanceOf(StoreUnavailable);
      // Broken off under way, the driver looks for the server before it sends anything else.
      await mongod.kill();
      await saving;
      await mongod.restart();
      await until(() =>
        store.save([aDelivery()]).then(
          () => true,
          () => false,
        ),
      );
    } finally {
      await store.close();
      await mongod.stop();
      connect.mockRestore();
    }
  });

  test('one that hangs is given up in time, and what it took is not stored twice', async () => {
    const mongod = await startMongod();
    const store = await openStore(mongod.url, { worker: 'tester', timeoutMs: 500 });
    try {
      await store.prepare();
      const delivery = aDelivery();
      mongod.pause();
      await expect(store.save([delivery])).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable);
      mongod.resume();
      let outcomes = await store.save([delivery]).catch(() => undefined);
      outcomes ??= await store.save([delivery]);
      expect(outcomes).toHaveLength(1);
      expect(await store.list({ limit: 10 })).toHaveLength(1);
    } finally {
      await store.close();
      await mongod.stop();
    }
  });

  test('away at first, it is found by the first call after it has come', async () => {
    const port = await freePort();
    const store = await openStore(`mongodb://127.0.0.1:${String(port)}`, {
      worker: 'tester',
      timeoutMs: 300,
    });
    await expect(store.prepare()).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.save([aDelivery()])).rejects.toBeInstanceOf(StoreUnavailable);
    const mongod = await startMongod({ port });
    try {
      await store.prepare().catch(() => store.prepare());
      expect(await store.save([aDelivery()])).toEqual([{ status: 'stored' }]);
    } finally {
      await store.close();
      await mongod.stop();
    }
  });
});

test.each([
  ['a server alone', {}, 1],
  ['a member of a replica set', { setName: 'rs0' }, 'majority'],
  ['a router of a sharded cluster', { msg: 'isdbgrid' }, 'majority'],
])('%s acknowledges what is in its journal', (_title, hello, w) => {
  expect(durableWriteConcern(hello)).toEqual({ w, journal: true });
});

test('a store is closed while it looks for its database', async () => {
  const store = await openStore('mongodb://127.0.0.1:1', { worker: 'tester', timeoutMs: 60_000 });
  const ping = store.ping();
  const failed = expect(ping).rejects.toBeInstanceOf(StoreUnavailable);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await store.close();
  await failed;
});

test.each([
  'mongodb://',
  'mongodb://user:p@ss:word@host/db',
  'mongodb://host/db?noSuchOption=1',
  'oracle://host/db',
])('the URL %s can never work', async (url) => {
  await expect(openStore(url, options)).rejects.toBeInstanceOf(ConfigurationError);
});
