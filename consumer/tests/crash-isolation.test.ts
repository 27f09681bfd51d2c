import { createHash } from 'node:crypto';
import { StoreUnavailable } from '@event-tracker/shared/errors';
import { packBatch, readMessage } from '@event-tracker/shared/message';
import { type Message, type MessageHandler, type Verdict } from '@event-tracker/shared/queue/queue';
import { createBackoff } from '../services/backoff.ts';
import {
  ATTEMPTS_MAX,
  EVENT_ATTEMPTS_MAX,
  isolateCrashes,
  TOGETHER_ATTEMPTS_MAX,
} from '../services/crash-isolation.ts';
import { createMemoryStore, type MemoryStore } from '../store/memory.ts';
import { until } from '../../tools/services/in-tests.ts';
import { allDead, anEvent, silent } from './events.ts';

const message = (text: string, redelivered = true): Message => ({
  body: Buffer.from(text),
  attempts: redelivered ? 2 : 1,
  redelivered,
});

/** One life of a worker: what it begins is written down, and decided over when the test lets it. */
function aLife(store: MemoryStore, verdict: Verdict = 'ack') {
  const backoff = createBackoff(5, silent);
  const begun: string[] = [];
  const waiting = new Map<string, () => void>();
  const handle: MessageHandler = ({ body }) => {
    const text = body.toString();
    begun.push(text);
    return new Promise((resolve) => waiting.set(text, () => resolve(verdict)));
  };
  const send = isolateCrashes(handle, store, backoff, 'tester');
  const decide = async (text: string) => {
    await until(() => waiting.has(text));
    waiting.get(text)?.();
    waiting.delete(text);
  };
  return { backoff, begun, send, decide };
}

const keyOf = (text: string) => createHash('sha256').update(text).digest('hex');
const { eventType, timestamp, payload } = anEvent();
const SAID = { eventType, timestamp, payload };
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

/** The worker begins these messages and dies with them. */
async function crash(store: MemoryStore, texts: string[]): Promise<string[]> {
  const { send, begun } = aLife(store);
  for (const text of texts) void send(message(text));
  await settle();
  return begun;
}

test('a first delivery costs no call to the store', async () => {
  const store = createMemoryStore();
  const { send, decide } = aLife(store);
  store.away = true;
  const verdict = send(message('new', false));
  await decide('new');
  expect(await verdict).toBe('ack');
});

test('redelivered messages that arrive together are read, counted and forgotten in one call each', async () => {
  const store = createMemoryStore();
  const calls = (['readAttempts', 'countAttempts', 'forgetAttempts'] as const).map((name) =>
    jest.spyOn(store, name),
  );
  const { send, begun, decide } = aLife(store);
  const verdicts = Promise.all(['a', 'b', 'c'].map((text) => send(message(text))));
  await until(() => begun.length === 3);
  for (const text of ['a', 'b', 'c']) await decide(text);
  expect(await verdicts).toEqual(['ack', 'ack', 'ack']);
  for (const call of calls) expect(call).toHaveBeenCalledTimes(1);
});

test('what the worker dies with is begun with others twice, alone three times, and then is a dead letter', async () => {
  const store = createMemoryStore();
  const texts = ['innocent', 'poison', 'other'];
  for (let life = 0; life < TOGETHER_ATTEMPTS_MAX; life += 1) {
    expect(await crash(store, texts)).toEqual(texts);
  }
  // Begun alone, the innocent one gets through; those that wait behind the poison are not counted.
  const life = aLife(store);
  const innocent = life.send(message('innocent'));
  void life.send(message('poison'));
  void life.send(message('other'));
  await settle();
  expect(life.begun).toEqual(['innocent']);
  await life.decide('innocent');
  expect(await innocent).toBe('ack');
  await settle();
  expect(life.begun).toEqual(['innocent', 'poison']);

  for (let attempts = TOGETHER_ATTEMPTS_MAX + 1; attempts < ATTEMPTS_MAX; attempts += 1) {
    expect(await crash(store, ['poison', 'other'])).toEqual(['poison']);
  }
  const last = aLife(store);
  const verdicts = Promise.all([last.send(message('poison')), last.send(message('other'))]);
  await last.decide('other');
  expect(await verdicts).toEqual(['dead', 'ack']);
  expect(last.begun).toEqual(['other']);
  expect(await allDead(store)).toMatchObject([
    { reason: 'crash-loop', body: Buffer.from('poison'), attempts: ATTEMPTS_MAX + 2, worker: 'tester' },
  ]);
});

test('of a message of several events only the one that ends the worker is a dead letter', async () => {
  const store = createMemoryStore();
  const batch = '[{"a":1}, {"poison":2},{"b":3}]';
  for (let life = 0; life < TOGETHER_ATTEMPTS_MAX; life += 1)
    expect(await crash(store, [batch])).toEqual([batch]);
  for (let attempts = 0; attempts < EVENT_ATTEMPTS_MAX; attempts += 1) {
    const life = aLife(store);
    void life.send(message(batch));
    await life.decide('{"a":1}');
    await settle();
    expect(life.begun).toEqual(['{"a":1}', ' {"poison":2}']);
  }
  const last = aLife(store);
  const verdict = last.send(message(batch));
  await last.decide('{"a":1}');
  await last.decide('{"b":3}');
  expect(await verdict).toBe('ack');
  expect(await allDead(store)).toMatchObject([{ reason: 'crash-loop', body: Buffer.from(' {"poison":2}') }]);
  expect(await store.readAttempts([batch, '{"a":1}', ' {"poison":2}', '{"b":3}'].map(keyOf))).toEqual([
    0, 0, 0, 0,
  ]);
});

test('a batch as it was sent goes event by event too, each as a message that can be replayed', async () => {
  const store = createMemoryStore();
  const said = (userId: string) => JSON.stringify({ ...SAID, userId });
  const ids = ['first', 'poison', 'last'];
  const bytes = Buffer.from(`[${ids.map(said).join(', ')}]`);
  const batch = packBatch({ bytes, eventIds: JSON.stringify(ids) }, anEvent({}));
  const [first, poison, last] = ids.map((_id, index) => readMessage(batch).bytesOf(index).toString());
  for (let life = 0; life < TOGETHER_ATTEMPTS_MAX; life += 1)
    expect(await crash(store, [String(batch)])).toEqual([String(batch)]);
  for (let attempts = 0; attempts < EVENT_ATTEMPTS_MAX; attempts += 1) {
    const life = aLife(store);
    void life.send(message(String(batch)));
    await life.decide(first!);
    await settle();
    expect(life.begun).toEqual([first, poison]);
  }
  const life = aLife(store);
  const verdict = life.send(message(String(batch)));
  await life.decide(first!);
  await life.decide(last!);
  expect(await verdict).toBe('ack');
  const letters = await allDead(store);
  expect(letters).toMatchObject([{ reason: 'crash-loop', body: Buffer.from(poison!) }]);
  expect(JSON.parse(letters[0]!.body.toString())).toEqual(anEvent({ eventId: 'poison', userId: 'poison' }));
  expect(await store.readAttempts([String(batch), first!, poison!, last!].map(keyOf))).toEqual([0, 0, 0, 0]);
});

test('with a suspect in flight nothing else is begun, a first delivery neither', async () => {
  const store = createMemoryStore();
  for (let life = 0; life < TOGETHER_ATTEMPTS_MAX; life += 1) await crash(store, ['suspect']);
  const { send, begun, decide } = aLife(store);
  const verdicts = [send(message('before', false)), send(message('suspect'))];
  await settle();
  verdicts.push(send(message('after', false)));
  await settle();
  expect(begun).toEqual(['before']);
  await decide('before');
  await decide('suspect');
  await decide('after');
  expect(begun).toEqual(['before', 'suspect', 'after']);
  expect(await Promise.all(verdicts)).toEqual(['ack', 'ack', 'ack']);
});

test.each<Verdict>(['ack', 'dead', 'retry'])(
  'whatever is decided over, here as %s, was no crash, however often it comes',
  async (verdict) => {
    const store = createMemoryStore();
    for (let delivery = 0; delivery < 3 * ATTEMPTS_MAX; delivery += 1) {
      const { send, decide } = aLife(store, verdict);
      const decided = send(message('often'));
      await decide('often');
      expect(await decided).toBe(verdict);
    }
    expect(await allDead(store)).toEqual([]);
  },
);

test('a handler that throws was no crash either', async () => {
  const store = createMemoryStore();
  const backoff = createBackoff(5, silent);
  const handle = () => Promise.reject(new TypeError('bug'));
  for (let delivery = 0; delivery < 3 * ATTEMPTS_MAX; delivery += 1) {
    await expect(isolateCrashes(handle, store, backoff, 'tester')(message('bug'))).rejects.toThrow('bug');
  }
});

test('the same bytes in many messages count once for the worker that ends with them', async () => {
  const store = createMemoryStore();
  const { send, begun } = aLife(store);
  for (let copy = 0; copy < 20; copy += 1) {
    void send(message('copy'));
    if (copy % 5 === 0) await settle();
  }
  await until(() => begun.length === 20);
  const key = createHash('sha256').update('copy').digest('hex');
  expect(await store.readAttempts([key])).toEqual([1]);
});

test('while the store is away the count waits; stopping gives the message back, and it was no attempt', async () => {
  const store = createMemoryStore();
  store.away = true;
  for (let life = 0; life < 3 * ATTEMPTS_MAX; life += 1) {
    const { send, begun, backoff } = aLife(store);
    const verdict = send(message('patient'));
    await settle();
    expect(begun).toEqual([]);
    backoff.stop();
    expect(await verdict).toBe('retry');
  }
  const { send, begun, decide } = aLife(store);
  const verdict = send(message('patient'));
  await settle();
  store.away = false;
  await until(() => begun.length === 1);
  await decide('patient');
  expect(await verdict).toBe('ack');
});

test('stopping is not held up by a store that hangs', async () => {
  const store = createMemoryStore();
  const { send, decide, backoff } = aLife(store);
  const verdict = send(message('stored'));
  await decide('stored');
  store.forgetAttempts = () => new Promise(() => undefined);
  store.away = true;
  const away = backoff.run(() => store.ping()).catch((error: unknown) => error);
  await settle();
  backoff.stop();
  expect(await away).toBeInstanceOf(StoreUnavailable);
  expect(await verdict).toBe('ack');
});
