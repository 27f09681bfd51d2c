import { connect } from 'amqplib';
import { type Document } from 'mongodb';
import { startMongod } from '../tools/mongod/start.ts';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName } from '../tools/services/in-tests.ts';
import { startRabbitmq } from '../tools/services/rabbitmq.ts';
import { balance, openLedger, printSummary, record, sendAll, waitUntilStored } from './ledger.ts';
import { type PlannedRequest, planRequests } from './plan.ts';
import { brokers, pairs, readMongodb, stores } from '../tools/pairs.ts';
import { ready, runProgram } from '../tools/programs.ts';
import {
  endAll,
  errorLines,
  expectBalanced,
  NO_LIMIT,
  openDb,
  openFound,
  ours,
  planWholeLog,
  SEED,
  TIMEOUT_MS,
} from './support.ts';

afterAll(endAll);

test('the plan is the same for the same seed', () => {
  const texts = (requests: PlannedRequest[]) => requests.map(({ headers, events }) => [headers, events]);
  expect(texts(planRequests(SEED, 6000))).toEqual(texts(planRequests(SEED, 6000)));
  expect(texts(planRequests(SEED, 6000))).not.toEqual(texts(planRequests(SEED + 1, 6000)));
});

describeWith('mongodb', 'the ledger', () => {
  const stored = (id: string, changes: Document = {}): Document => ({
    _id: id,
    eventId: id,
    userId: '1',
    eventType: 'click',
    timestamp: new Date(0),
    payload: { a: [1] },
    source: 'activities',
    processing: {
      ...{ receivedAt: new Date(), processedAt: new Date(), attempts: 1, redelivered: false, worker: 'w' },
      ...{ requestId: 'r', ip: '127.0.0.1', userAgent: null },
    },
    ...changes,
  });

  test('notices what is missing, doubled, foreign, altered or dead', async () => {
    const name = uniqueName('e2e_ledger');
    const db = openDb(serviceUrl('mongodb'), name);
    const ledger = openLedger();
    const expected = { userId: '1', eventType: 'click', timestamp: new Date(0), payload: { a: [1] } };
    const request: PlannedRequest = {
      path: '',
      headers: {},
      body: Buffer.of(),
      events: [{ text: '', id: 'a', expected }],
    };
    const accept = (eventId: string) => {
      const body = { status: 'accepted', eventId };
      const events = [{ text: '', id: eventId, expected }];
      record(ledger, { ...request, events }, { status: 202, headers: { 'x-request-id': 'r' }, body });
    };
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) accept(id);
    accept('a');
    const foreign = stored('nobody asked for me');
    const doubled = stored('b', { _id: 'another b' });
    const altered = [
      stored('c', { payload: { a: [1, 2] } }),
      stored('d', { userId: 1 }),
      stored('e', { more: 1 }),
    ];
    await db
      .collection<Document>('activities')
      .insertMany([stored('a'), stored('b'), doubled, foreign, ...altered] as never);
    await db.collection('dead_letters').insertOne({});
    const { wrong, ...counts } = await balance(ledger, readMongodb(db));
    expect(counts).toEqual({
      ...{ sent: 7, accepted: 7, refused: 0, repeated: 1 },
      ...{ stored: 7, doubled: 1, missing: 1, foreign: 1, deadLetters: 1 },
    });
    const found = ['_id of another b', 'dead letter', 'f is missing:', 'nobody was promised'];
    const changed = ['other fields of e', 'payload of c', 'userId of d'];
    expect(wrong.toSorted()).toEqual(
      [...found, ...changed].toSorted().map((words) => expect.stringMatching(`^${words} `) as string),
    );
    await db.dropDatabase();
  });

  test('notices an answer that is not as planned', () => {
    const bad: PlannedRequest = {
      ...{ path: '', headers: {}, body: Buffer.of() },
      events: [{ text: '{}', refused: ['userId', 'eventType'] }],
    };
    const headers = { 'x-request-id': 'r' };
    const details = (...fields: string[]) => fields.map((field) => ({ field, message: 'is wrong' }));
    const wrongAfter = (status: number, code: string, fields: string[]) => {
      const ledger = openLedger();
      record(ledger, bad, { status, headers, body: { code, details: details(...fields) } });
      return ledger.wrong.length;
    };
    expect(wrongAfter(400, 'invalid-event', ['eventType', 'userId'])).toBe(0);
    expect(wrongAfter(400, 'invalid-event', ['userId'])).toBe(1);
    expect(wrongAfter(400, 'invalid-event', ['userId', 'eventType', 'payload'])).toBe(1);
    expect(wrongAfter(400, 'invalid-event', ['userId', 'userId', 'eventType'])).toBe(1);
    expect(wrongAfter(400, 'bad-request', ['userId', 'eventType'])).toBe(1);
    expect(wrongAfter(202, 'invalid-event', ['userId', 'eventType'])).toBe(1);
  });
});

describe.each(pairs)('$name', ({ name: pairName, broker, store }) => {
  describeWith(['redis', brokers[broker].service, stores[store].service], 'two APIs and two workers', () => {
    test(
      'store what they accept and nothing else',
      async () => {
        const name = uniqueName('e2e');
        const server = serviceUrl(brokers[broker].service);
        const found = await openFound(store, name);
        const settings = {
          QUEUE_URL: brokers[broker].url(server, name),
          STORE_URL: found.url,
          REDIS_URL: serviceUrl('redis'),
          QUEUE_NAME: name,
          LOG_LEVEL: 'warn',
          ...NO_LIMIT,
        };
        const started = await startAll(settings, 2);
        const ledger = openLedger();
        await sendAll(ledger, planWholeLog(), started.urls);
        await waitUntilStored(found.countActivities, ledger.promised.size);
        const summary = await balance(ledger, found);
        printSummary(`${pairName}, 2 APIs, 2 workers`, summary, ledger.startedAt);
        expectBalanced(summary);
        const workers = new Set<string>();
        for await (const { processing } of found.activities())
          workers.add((processing as { worker: string }).worker);
        expect(workers.size).toBe(2);

        const codes = await Promise.all(started.programs.map((program) => program.stop()));
        expect(codes).toEqual([0, 0, 0, 0]);
        for (const program of started.programs) expect(errorLines(program)).toEqual([]);

        // What a worker had not acknowledged would be waiting again by now.
        expect(await brokers[broker].depth(server, name)).toBe(0);
        await brokers[broker].remove(server, name);
        await found.remove();
      },
      TIMEOUT_MS,
    );
  });
});

describeWith(['rabbitmq', 'mongodb'], 'an API and a worker', () => {
  test(
    'use the names of the contract by default',
    async () => {
      // Servers of their own, because every other test that uses the default names would meet this one.
      const [rabbitmq, mongod] = await Promise.all([startRabbitmq(), startMongod()]);
      const settings = { RABBITMQ_URL: rabbitmq.url, DATABASE_URL: mongod.url, ...NO_LIMIT };
      const { urls, programs: started } = await startAll(settings, 1);
      const answer = await fetch(urls[0]!, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"userId":101,"eventType":"page_view","timestamp":"2026-02-19T10:00:00"}',
      });
      expect(answer.status).toBe(202);
      const { eventId } = (await answer.json()) as { eventId: string };
      const activities = openDb(mongod.url, 'activity_db').collection('activities');
      await waitUntilStored(() => activities.countDocuments(), 1);
      expect(await activities.find().toArray()).toMatchObject([
        { eventId, userId: '101', timestamp: new Date('2026-02-19T10:00:00Z'), payload: {} },
      ]);
      const connection = await connect(rabbitmq.url);
      const channel = await connection.createChannel();
      const { consumerCount } = await channel.assertQueue('user_activities', { durable: true });
      expect(consumerCount).toBe(1);
      await connection.close();
      expect(await Promise.all(started.map((program) => program.stop()))).toEqual([0, 0]);
      await Promise.all([rabbitmq.stop(), mongod.stop()]);
    },
    TIMEOUT_MS,
  );
});

/** So many APIs and as many workers, configured by the environment alone; resolves when all are ready. */
async function startAll(settings: Record<string, string>, count: number) {
  const urls: string[] = [];
  const started = await Promise.all(
    Array.from({ length: count * 2 }, async (_, index) => {
      const port = await freePort();
      const isApi = index < count;
      if (isApi) urls.push(`http://127.0.0.1:${port}/api/v1/activities`);
      const environment = { ...settings, [isApi ? 'API_PORT' : 'CONSUMER_PORT']: String(port) };
      const program = ours(runProgram(isApi ? 'api/server.ts' : 'consumer/worker.ts', environment));
      await ready(program, port);
      return program;
    }),
  );
  return { urls, programs: started };
}
