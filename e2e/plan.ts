import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { type BadEvent, spoil } from './bad-events.ts';
import { createRandom, type Random } from '../tools/random.ts';
import { type ExpectedActivity, readWebLog, type Sample, withId } from './web-log.ts';

/** An event that has to be stored like this; without an id of its own it gets one from the API. */
export interface GoodEvent {
  text: string;
  id: string | undefined;
  expected: ExpectedActivity;
}

/** One event of a request and what has to become of it: stored, or refused for exactly these fields. */
export type PlannedEvent = GoodEvent | { text: string; refused: string[] };

/** A request that is ready to be sent. */
export interface PlannedRequest {
  path: '' | '/batch';
  headers: Record<string, string>;
  body: Buffer;
  /** In the order of the body; none where the request is refused before anyone looks for events in it. */
  events: PlannedEvent[];
  /** What else the answer has to be, where the request as a whole is at fault. */
  refusal?: { status: number; code: string; fields: string[] };
}

const BODY_BYTES_MAX = 512 * 1024;
const BATCH_EVENTS_MAX = 2500;
const BAD_SHARE = 0.02;

interface Source {
  random: Random;
  log: Generator<Sample, never>;
  /** Samples with ids that were sent already; sent again they must change nothing. */
  known: Sample[];
  ids: number;
  keys: number;
  bad: number;
}

/** The requests for at least so many events: the same ones for the same seed. */
export function planRequests(seed: number, eventsMin: number): PlannedRequest[] {
  const random = createRandom(seed);
  const source: Source = { random, log: readWebLog(random), known: [], ids: 0, keys: 0, bad: 0 };
  const requests: PlannedRequest[] = [...malformedRequests(), fullBatch(source), fullBatch(source)];
  for (let events = 2 * BATCH_EVENTS_MAX; events < eventsMin;) {
    const request = planRequest(source);
    requests.push(request);
    events += request.events.length;
    if (random.chance(0.08) && isRepeatable(request)) {
      requests.push(request);
      events += request.events.length;
    }
    if (events > eventsMin / 2 && events - request.events.length <= eventsMin / 2) {
      const batch = fullBatch(source);
      // At once, while the first one is still under way.
      requests.push(batch, batch);
      events += 2 * batch.events.length;
    }
  }
  return requests;
}

/** A request can be sent again when all that is accepted of it has an id that the client knows. */
export function isRepeatable({ events }: PlannedRequest): boolean {
  return events.every((event) => 'refused' in event || event.id !== undefined);
}

function planRequest(source: Source): PlannedRequest {
  const { random } = source;
  const headers = randomHeaders(source);
  if (random.chance(0.97)) return encode(random, '', headers, [planEvent(source)]);
  const size = random.pick([1, 2, 5, 20, 50, 100, 200, 350]);
  const events: PlannedEvent[] = [];
  let bytes = 1000;
  while (events.length < size) {
    const event = planEvent(source);
    bytes += Buffer.byteLength(event.text) + 4;
    if (bytes > BODY_BYTES_MAX) break;
    events.push(event);
    // The same event twice in one batch.
    if ('id' in event && event.id !== undefined && random.chance(0.03)) events.push(event);
  }
  return encode(random, '/batch', headers, events);
}

function planEvent(source: Source): PlannedEvent {
  const { random, known } = source;
  if (random.chance(BAD_SHARE)) return badEvent(source);
  // An id of an earlier request, alone or in another batch.
  if (known.length > 0 && random.chance(0.03)) return goodEvent(random.pick(known));
  const sample = source.log.next().value;
  return goodEvent(random.chance(0.3) ? remember(source, sample) : sample);
}

function goodEvent({ sent, id, expected }: Sample): GoodEvent {
  return { text: JSON.stringify(sent), id, expected };
}

function badEvent(source: Source): PlannedEvent {
  const { random, log } = source;
  const { text, fields }: BadEvent = spoil(random, log.next().value, source.bad++);
  return { text, refused: fields };
}

function remember(source: Source, sample: Sample): Sample {
  const { random } = source;
  const number = ++source.ids;
  const prefix = random.pick([
    'evt-',
    'order/4711?paid#',
    '',
    '購入 ',
    '$id.',
    'i'.repeat(100),
    '__proto__',
    '🛒',
  ]);
  const named = withId(random, sample, `${prefix}${number}`);
  source.known.push(named);
  return named;
}

/** A batch of as many events as one may hold: short ones, so that they stay within the bytes of a body. */
function fullBatch(source: Source): PlannedRequest {
  const { random } = source;
  const events = Array.from({ length: BATCH_EVENTS_MAX }, (_, place): PlannedEvent => {
    if (random.chance(BAD_SHARE))
      return { text: `{"userId":${place},"timestamp":"now"}`, refused: ['eventType', 'timestamp'] };
    const { sent, expected } = source.log.next().value;
    const userId = `u${place % 90}`;
    const payload = { n: place };
    const short = {
      sent: { ...sent, userId, payload },
      id: undefined,
      expected: { ...expected, userId, payload },
    };
    return goodEvent(short);
  });
  return encode(random, '/batch', { 'idempotency-key': nextKey(source) }, events);
}

function nextKey(source: Source): string {
  return `key:${++source.keys}/{a}~`;
}

function randomHeaders(source: Source): Record<string, string> {
  const { random } = source;
  const label = random.pick([
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
  ]);
  return {
    'content-type': label,
    ...(random.chance(0.15) && { 'idempotency-key': nextKey(source) }),
    ...(random.chance(0.1) && { 'x-request-id': `web-log:${random.integer(1, 1e9)}` }),
    ...(random.chance(0.7) && {
      'user-agent': random.pick(['web-log/1.0', 'Mozilla/5.0 (X11) '.padEnd(600, 'x')]),
    }),
  };
}

/** Puts events into a body; those that have no id of their own get the one that the request's key stands for. */
function encode(
  random: Random,
  path: '' | '/batch',
  headers: Record<string, string>,
  planned: PlannedEvent[],
): PlannedRequest {
  const key = headers['idempotency-key'];
  const events = planned.map((event, index): PlannedEvent => {
    if (key === undefined || 'refused' in event || event.id !== undefined) return event;
    return { ...event, id: path === '' ? key : `${key}-${index}` };
  });
  const texts = events.map(({ text }) => text);
  const array = `[${texts.join(random.pick([',', ' ,\n\t']))}]`;
  const text = path === '' ? (texts[0] ?? '') : random.pick([array, `{"events":${array}}`]);
  const [encoding, body] = compress(random, Buffer.from(text));
  return { path, headers: { 'content-type': 'application/json', ...headers, ...encoding }, body, events };
}

function compress(random: Random, bytes: Buffer): [Record<string, string>, Buffer] {
  const roll = random.next();
  if (roll < 0.1) return [{ 'content-encoding': 'gzip' }, gzipSync(bytes)];
  if (roll < 0.12) return [{ 'content-encoding': 'deflate' }, deflateSync(bytes)];
  if (roll < 0.14) return [{ 'content-encoding': 'br' }, brotliCompressSync(bytes)];
  return [{}, bytes];
}

const GOOD = '{"userId":"user-1","eventType":"malformed_request","timestamp":"2025-07-01T10:00:00Z"}';

/** Requests of which nothing may be taken, whatever is in them. */
function malformedRequests(): PlannedRequest[] {
  const json = { 'content-type': 'application/json' };
  const gzip = { ...json, 'content-encoding': 'gzip' };
  const refuse = (
    [status, code, ...fields]: [number, string, ...string[]],
    path: '' | '/batch',
    body: string | Buffer,
    headers: Record<string, string> = json,
  ): PlannedRequest => ({
    path,
    headers,
    body: Buffer.from(body),
    events: [],
    refusal: { status, code, fields },
  });
  const notJson: [number, string] = [400, 'invalid-json'];
  const noEvents: [number, string, string] = [400, 'invalid-event', 'events'];
  const wrongKey: [number, string, string] = [400, 'invalid-event', 'Idempotency-Key'];
  const tooLarge: [number, string] = [413, 'body-too-large'];
  return [
    refuse(notJson, '', ''),
    refuse(notJson, '', GOOD.slice(0, -1)),
    refuse(notJson, '', `${GOOD}${GOOD}`),
    refuse(notJson, '/batch', `[${GOOD},]`),
    refuse(notJson, '', GOOD.replaceAll('"', "'")),
    refuse(notJson, '', Buffer.from(GOOD.replace('user-1', 'Jos\u00e9'), 'latin1')),
    refuse(notJson, '', 'userId=user-1&eventType=page_view', {
      'content-type': 'application/x-www-form-urlencoded',
    }),
    refuse(notJson, '', GOOD.replace('"user-1"', 'NaN')),
    refuse(notJson, '', `${'['.repeat(100_000)}`),
    refuse([400, 'bad-request'], '', GOOD, gzip),
    refuse([400, 'bad-request'], '', gzipSync(GOOD).subarray(0, -9), gzip),
    refuse([415, 'unsupported-media-type'], '', GOOD, { 'content-type': 'application/xml' }),
    refuse([415, 'unsupported-media-type'], '', GOOD, { ...json, 'content-encoding': 'zstd' }),
    refuse(noEvents, '/batch', '[]'),
    refuse(noEvents, '/batch', '{}'),
    refuse(noEvents, '/batch', '{"events":[]}'),
    refuse(noEvents, '/batch', GOOD),
    refuse(noEvents, '/batch', 'null'),
    refuse(wrongKey, '', GOOD, { ...json, 'idempotency-key': 'two words' }),
    refuse(wrongKey, '/batch', `[${GOOD},7]`, { ...json, 'idempotency-key': 'k'.repeat(121) }),
    refuse([400, 'invalid-event', 'Idempotency-Key', 'colour'], '', GOOD.replace('{', '{"colour":1,'), {
      ...json,
      'idempotency-key': '',
    }),
    refuse(
      tooLarge,
      '/batch',
      `[${Array(BATCH_EVENTS_MAX + 1)
        .fill(GOOD)
        .join(',')}]`,
    ),
    refuse(tooLarge, '', GOOD.padEnd(BODY_BYTES_MAX + 1)),
    refuse(tooLarge, '', gzipSync(GOOD.padEnd(BODY_BYTES_MAX + 1)), gzip),
  ];
}
