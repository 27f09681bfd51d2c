import { connect, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import request from 'supertest';
import { createMemoryStore, type MemoryStore } from '@event-tracker/consumer/store/memory';
import { type ActivityHead } from '@event-tracker/consumer/store/store';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { until } from '../../tools/services/in-tests.ts';
import { FIRST_EVENTS_MAX, POLL_EVENTS_MAX, STREAMS_MAX } from '../services/stream.ts';
import { readStream, type StreamClient } from './stream-client.ts';
import {
  ADMIN_KEY,
  closeServers,
  createTestApi,
  expectProblem,
  fieldsOf,
  getAsAdmin,
  listenAs,
  STREAM,
} from './support.ts';

const AUTHORIZED = { Authorization: `Bearer ${ADMIN_KEY}` };
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
  closeServers();
});

/** An API whose store tells of each head what `see` makes of it; undefined hides it. */
async function start(see: (head: ActivityHead) => ActivityHead | undefined = (head) => head) {
  const store = createMemoryStore();
  const tail = store.tail.bind(store);
  /** Calls of `tail` that have an answer. */
  const polls: { since: Date; failed: boolean }[] = [];
  store.tail = async (filter) => {
    let failed = true;
    try {
      const heads = (await tail({ ...filter, since: new Date(0) })).map(see);
      failed = false;
      const told = heads.filter((head) => head !== undefined && head.processedAt >= filter.since);
      return (told as ActivityHead[]).sort((a, b) => b.processedAt.getTime() - a.processedAt.getTime());
    } finally {
      polls.push({ since: filter.since, failed });
    }
  };
  const api = createTestApi({}, { store });
  const server = await listenAs(api.app);
  const { port } = server.address() as AddressInfo;
  const watch = async (query = '', headers: Record<string, string> = {}): Promise<StreamClient> => {
    const client = await readStream(`http://127.0.0.1:${port}${STREAM}${query}`, {
      ...AUTHORIZED,
      ...headers,
    });
    open.push(client);
    return client;
  };
  /** Resolves once the store was asked by a poll that begins later than this call. */
  const polled = async (count = 2) => {
    const before = polls.length;
    await until(() => polls.length >= before + count);
  };
  return { ...api, store, polls, port, server, watch, polled };
}

async function save(store: MemoryStore, ...events: Partial<ActivityEvent>[]): Promise<void> {
  await store.save(
    events.map((event) => ({
      event: {
        ...{ eventId: 'e', userId: 'ada', eventType: 'page_view', timestamp: '2023-10-27T10:00:00.000Z' },
        ...{ payload: { path: '/home' }, source: 'activities', receivedAt: '2023-10-27T10:00:01.000Z' },
        ...{ requestId: null, ip: null, userAgent: null },
        ...event,
      },
      attempts: 1,
      redelivered: false,
    })),
  );
}

const named = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ eventId: `${prefix}${index}` }));
const idsOf = (events: { eventId: string }[]) => events.map(({ eventId }) => eventId);

describe('GET /api/v1/stream', () => {
  it('tells events as they are stored, as server-sent events', async () => {
    const { store, watch } = await start();
    const client = await watch();
    expect(client.response.status).toBe(200);
    const headers = ['content-type', 'cache-control', 'x-accel-buffering'];
    expect(headers.map((name) => client.response.headers.get(name))).toEqual([
      'text/event-stream',
      'no-cache',
      'no',
    ]);
    await save(store, { eventId: 'one', payload: { path: '/a\nb', rest: 'x' } });
    await client.received(1);
    const { processedAt } = (await store.get('one'))!.processing;
    expect(client.messages()).toEqual([
      { retry: '1000' },
      {
        id: String(processedAt.getTime()),
        event: 'activity',
        data: {
          eventId: 'one',
          userId: 'ada',
          eventType: 'page_view',
          timestamp: '2023-10-27T10:00:00.000Z',
          page: '/a\nb',
          source: 'activities',
          receivedAt: '2023-10-27T10:00:01.000Z',
          processedAt: processedAt.toISOString(),
        },
      },
    ]);
  });

  it('begins with the newest 50, oldest first, and tells each event once', async () => {
    const { store, watch, polled } = await start();
    for (const event of named('old', 60)) await save(store, event);
    const client = await watch();
    expect(await client.received(FIRST_EVENTS_MAX)).toEqual(idsOf(named('old', 60)).slice(10));
    await save(store, ...named('new', 3));
    await polled();
    expect(client.ids().slice(FIRST_EVENTS_MAX).sort()).toEqual(['new0', 'new1', 'new2']);
    await polled();
    expect(client.ids()).toHaveLength(FIRST_EVENTS_MAX + 3);
  });

  it('tells only what matches, from the first event on', async () => {
    const { store, watch } = await start();
    const mixed = (prefix: string) => [
      { eventId: `${prefix}1`, userId: 'ada', eventType: 'click' },
      { eventId: `${prefix}2`, userId: 'bob', eventType: 'click' },
      { eventId: `${prefix}3`, userId: 'ada', eventType: 'page_view' },
    ];
    for (const event of mixed('old')) await save(store, event);
    const clients = await Promise.all(
      ['?userId=ada', '?eventType=click', '?userId=ada&eventType=click', '?userId=eve'].map((query) =>
        watch(query),
      ),
    );
    await Promise.all(clients.slice(0, 3).map((client) => client.received(1)));
    for (const event of [...mixed('new'), { eventId: 'end', userId: 'eve' }]) await save(store, event);
    await clients[3]?.received(1);
    expect(clients.map((client) => client.ids())).toEqual([
      ['old1', 'old3', 'new1', 'new3'],
      ['old1', 'old2', 'new1', 'new2'],
      ['old1', 'new1'],
      ['end'],
    ]);
  });

  it('tells an event whose write ended later than that of others', async () => {
    const hidden = new Set(['late']);
    const { store, watch, polled } = await start((head) => (hidden.has(head.eventId) ? undefined : head));
    const client = await watch();
    await save(store, { eventId: 'late' });
    await delay(5);
    await save(store, { eventId: 'prompt' });
    await client.received(1);
    await polled();
    hidden.clear();
    expect(await client.received(2)).toEqual(['prompt', 'late']);
    await polled();
    expect(client.ids()).toHaveLength(2);
  });

  it('is not held up by the clock of a worker that is ahead, nor is who comes back', async () => {
    const ahead = (head: ActivityHead) =>
      head.eventId === 'ahead' ? { ...head, processedAt: new Date(Date.now() + 3_600_000) } : head;
    const { store, watch } = await start(ahead);
    const client = await watch();
    await save(store, { eventId: 'ahead' });
    await client.received(1);
    await save(store, { eventId: 'next' });
    expect(await client.received(2)).toEqual(['ahead', 'next']);
    const id = client.messages().find(({ data }) => data?.eventId === 'ahead')?.id ?? '';
    const again = await watch('', { 'Last-Event-ID': id });
    expect((await again.received(2)).sort()).toEqual(['ahead', 'next']);
  });
});

describe('Coming back with Last-Event-ID', () => {
  it('goes on behind that event, and leaves out nothing', async () => {
    const { store, watch } = await start();
    await save(store, ...named('before', 20));
    const first = await watch('?userId=ada');
    await first.received(20);
    await first.close();
    await save(store, ...named('meanwhile', 70), { eventId: 'other', userId: 'bob' });
    const again = await watch('?userId=ada', { 'Last-Event-ID': first.messages().at(-1)?.id ?? '' });
    // What came shortly before may come once more.
    await until(() => again.ids().filter((id) => id.startsWith('meanwhile')).length >= 70);
    await save(store, { eventId: 'after' });
    await until(() => again.ids().includes('after'));
    expect(new Set(again.ids()).size).toBe(again.ids().length);
    expect(again.ids().filter((id) => !id.startsWith('before'))).toHaveLength(71);
  });

  it('tells a gap where more was stored meanwhile than a stream carries', async () => {
    const { store, watch } = await start();
    await save(store, ...named('e', POLL_EVENTS_MAX + 1));
    const client = await watch('', { 'Last-Event-ID': '1000' });
    const ids = await client.received(POLL_EVENTS_MAX + 1);
    expect(ids.indexOf('gap')).toBe(0);
    expect(new Set(ids.slice(1)).size).toBe(POLL_EVENTS_MAX);
  });

  it('tells no gap where what was there before is still seen', async () => {
    const { store, watch } = await start();
    await save(store, ...named('before', POLL_EVENTS_MAX));
    await delay(5);
    await save(store, { eventId: 'last' });
    const { processedAt } = (await store.get('last'))!.processing;
    const client = await watch('', { 'Last-Event-ID': String(processedAt.getTime()) });
    const ids = await client.received(POLL_EVENTS_MAX);
    expect([ids.at(-1), ids.includes('gap')]).toEqual(['last', false]);
  });

  it('tells no gap where all of it is there, nor to who is new', async () => {
    const { store, watch } = await start();
    await save(store, ...named('e', POLL_EVENTS_MAX - 1));
    const [back, fresh] = [await watch('', { 'Last-Event-ID': '1000' }), await watch()];
    expect(await back.received(POLL_EVENTS_MAX - 1)).not.toContain('gap');
    await save(store, ...named('more', 1));
    expect(await back.received(POLL_EVENTS_MAX)).not.toContain('gap');
    expect(await fresh.received(FIRST_EVENTS_MAX)).not.toContain('gap');
  });

  it.each(['x', '-1', '1.5', '1e3', '9'.repeat(16), '019aa0c2-8f3b-7cc1-a1a5-8a3e6a3e4c55'])(
    'refuses %s, which is no id of ours',
    async (id) => {
      const { app } = createTestApi();
      const response = await getAsAdmin(app, STREAM).set('Last-Event-ID', id);
      expect(fieldsOf(response, 'bad-request')).toEqual(['Last-Event-ID']);
    },
  );
});

describe('A stream', () => {
  it('has a gap where more was stored at once than it carries', async () => {
    const { store, watch, polled } = await start();
    const client = await watch();
    await polled();
    await save(store, ...named('e', POLL_EVENTS_MAX + 20));
    const ids = await client.received(POLL_EVENTS_MAX + 1);
    expect(ids.indexOf('gap')).toBe(0);
    await save(store, { eventId: 'next' });
    expect((await client.received(POLL_EVENTS_MAX + 2)).slice(1)).toEqual([...ids.slice(1), 'next']);
  });

  it('stays open while the store is away, and goes on when it is back', async () => {
    const { store, watch, polled, polls, logged } = await start();
    store.away = true;
    const early = await watch();
    await until(() => polls.length > 1);
    store.away = false;
    await save(store, { eventId: 'first' });
    expect(await early.received(1)).toEqual(['first']);
    store.away = true;
    await polled();
    store.away = false;
    await save(store, { eventId: 'second' });
    expect(await early.received(2)).toEqual(['first', 'second']);
    expect(polls.filter(({ failed }) => failed).length).toBeGreaterThan(2);
    // One entry each time it went away.
    expect(logged.map(({ message }) => message)).toEqual(Array(2).fill('streams wait for the store'));
  });

  it('shares one poll with all others, and none is made when nobody is there', async () => {
    const { store, watch, polled, polls } = await start();
    const clients = await Promise.all(Array.from({ length: 20 }, () => watch()));
    await polled();
    const before = polls.length;
    await save(store, { eventId: 'one' });
    await Promise.all(clients.map((client) => client.received(1)));
    expect(polls.length - before).toBeLessThan(20);
    await Promise.all(clients.map((client) => client.close()));
    // What is under way may still end.
    await delay(700);
    const after = polls.length;
    await delay(1200);
    expect(polls).toHaveLength(after);
    const late = await watch();
    expect(await late.received(1)).toEqual(['one']);
  });

  it('looks no further back than late writes need', async () => {
    const { store, watch, polled, polls } = await start();
    await save(store, { eventId: 'one' });
    await watch();
    await polled(3);
    const { processedAt } = (await store.get('one'))!.processing;
    expect(polls[0]?.since).toEqual(new Date(0));
    expect(polls.at(-1)?.since).toEqual(new Date(processedAt.getTime() - 10_000));
  });

  it('is kept open by comments while nothing happens', async () => {
    const { watch } = await start();
    const client = await watch();
    // The interval is a constant of 15 s, which no setting changes: this test really waits for it.
    await until(() => client.text().includes('\n\n:\n\n'));
    expect(client.messages()).toEqual([{ retry: '1000' }]);
  });
});

describe('The bounds of streams', () => {
  it('are a hundred of them; the next is told to wait, and takes the place of one that ends', async () => {
    const { server, watch } = await start();
    const clients = await Promise.all(Array.from({ length: STREAMS_MAX }, () => watch()));
    expect(clients.map(({ response }) => response.status)).toEqual(Array(STREAMS_MAX).fill(200));
    const refused = await getAsAdmin(server, STREAM);
    expectProblem(refused, 'stream-unavailable');
    expect(refused.get('Retry-After')).toBe('1');
    await clients[0]?.close();
    await until(async () => (await watch()).response.status === 200);
  });

  it('are what waits for a slow client: it is cut off, and others go on', async () => {
    const { server, store, port, watch } = await start();
    const quick = await watch('?userId=quick');
    let isCutOff = false;
    server.once('connection', (socket) => socket.on('close', () => (isCutOff = true)));
    const slow = connect(port, '127.0.0.1')
      .pause()
      .on('error', () => undefined);
    slow.write(`GET ${STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n\r\n`);
    // Six bytes a character, in JSON.
    const long = '\x01'.repeat(200);
    for (let round = 0; !isCutOff; round++) {
      const event = { userId: long, payload: { path: long }, source: long };
      await save(store, ...named(`round-${round}-`, 400).map((one) => ({ ...event, ...one })));
      await save(store, { eventId: `quick-${round}`, userId: 'quick' });
      await quick.received(round + 1);
    }
    slow.destroy();
    await save(store, { eventId: 'after', userId: 'quick' });
    await until(() => quick.ids().includes('after'));
    expect(quick.ids()).not.toContain('gap');
  });
});

describe('Who may', () => {
  it.each([{}, { Authorization: 'Bearer another' }])(
    'open no stream without the admin key: %j',
    async (headers) => {
      const { app } = createTestApi();
      expectProblem(await request(app).get(STREAM).set(headers), 'unauthorized');
    },
  );

  it.each([
    ['an unknown parameter', 'user_id=ada', ['user_id']],
    ['an empty user', 'userId=', ['userId']],
    ['a type given twice', 'eventType=a&eventType=b', ['eventType']],
    ['several faults', 'userId=&limit=5', ['userId', 'limit']],
  ])('ask with %s is told so', async (_name, query, fields) => {
    const { app } = createTestApi();
    expect(fieldsOf(await getAsAdmin(app, `${STREAM}?${query}`), 'invalid-query')).toEqual(fields);
  });

  it('asks for the headers alone gets them and no stream', async () => {
    const { app } = createTestApi();
    const response = await request(app).head(STREAM).set(AUTHORIZED);
    expect([response.status, response.get('Content-Type')]).toEqual([200, 'text/event-stream']);
  });

  it('sends anything is told that one can only read', async () => {
    const { app } = createTestApi();
    const response = await request(app).post(STREAM).set(AUTHORIZED);
    expectProblem(response, 'method-not-allowed');
    expect(response.get('Allow')).toBe('GET, HEAD');
  });
});
