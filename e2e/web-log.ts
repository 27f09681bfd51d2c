import { type Random } from '../tools/random.ts';
import { spellMoment } from './spelling.ts';

/** What the store must hold of an event, apart from its id and the processing facts. */
export interface ExpectedActivity {
  userId: string;
  eventType: string;
  timestamp: Date;
  payload: Record<string, unknown>;
}

/** A good event: the value that is sent, and what has to become of it. */
export interface Sample {
  sent: Record<string, unknown>;
  /** The id in it, under whichever of the two names. */
  id: string | undefined;
  expected: ExpectedActivity;
}

const VISITORS = 600;
const PAGES = 250;
const STARTS_AT = Date.UTC(2025, 5, 30, 22);
const DAY_MS = 86_400_000;

const agents = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0',
  'NCSA_Mosaic/2.0 (Windows 3.1)',
  'ExampleBot/2.1 (+http://bot.example/)',
  'curl/8.5.0',
];
const folders = [
  '/',
  '/products/',
  '/history/missions/',
  '/images/',
  '/suche/',
  '/пошук/',
  '/検索/',
  '/a b/',
];
const names = [
  'index.html',
  'lamp',
  'über-uns',
  'countdown.html',
  'größe=XL',
  'logo.gif',
  '製品',
  'قائمة',
  '🚀.png',
];
const referrers = [null, '-', 'https://search.example/?q=web+log', 'android-app://com.example.mail/', ''];
/** Keys and values that have a meaning for JavaScript, for MongoDB or for some step between. */
const oddPayloads: Record<string, unknown>[] = [
  { $set: { a: 1 }, $where: 'sleep(1)', 'a.b.c': true, '': 'empty key', '.': 0, $: null },
  { _id: 'mine', __v: 7, id: 8, userId: 9, constructor: { name: 'Object' }, toString: 'text', length: -1 },
  {
    hasOwnProperty: 0,
    toJSON: 'x',
    toBSON: 'y',
    toObject: 1,
    valueOf: null,
    then: 'z',
    isMongooseObject: true,
  },
  {
    '0': 'zero',
    '10': 'ten',
    '2': ['two', { '3': [[[]]] }],
    nothing: null,
    empty: {},
    none: [],
    falsy: [0, '', false],
  },
  {
    tiny: 5e-324,
    huge: 1.7976931348623157e308,
    safe: Number.MAX_SAFE_INTEGER,
    low: -Number.MAX_SAFE_INTEGER,
  },
  { int32: 2 ** 31, below: -(2 ** 31) - 1, third: 1 / 3, milli: 0.001, ten: 10.5, sum: 0.1 + 0.2 },
  { $oid: '507f1f77bcf86cd799439011', $date: '2025-01-01', $numberLong: '1', ref: { $ref: 'a' } },
  { text: 'ünïcödé 𝒳 👩🏽‍🚀 \u202eright to left\u202c e\u0301 \u2028 \u2029 \ufeff \u007f \u0001 "\\/' },
  { ключ: { キー: { '🔑': ['значение', '値', '\ud83d\ude00'] } } },
  {
    date: '2025-07-01T00:00:00.000Z',
    regex: '/a+/i',
    undefined: 'undefined',
    NaN: 'NaN',
    Infinity: '-Infinity',
  },
  { list: Array.from({ length: 300 }, (_, index) => ({ index, even: index % 2 === 0 })) },
  { text: 'x'.repeat(40_000) },
  { deep: nested(63) },
];

interface Visitor {
  /** As it is sent: a string or a number. */
  userId: string | number;
  agent: string;
  host: string;
}

/** A web server's log as a stream of activities: some visitors come often, most rarely, each walks from page to page. */
export function* readWebLog(random: Random): Generator<Sample, never> {
  const visitors = Array.from({ length: VISITORS }, (_, index) => createVisitor(random, index));
  let at = STARTS_AT;
  for (let session = 1; ; session += 1) {
    const visitor = visitors[random.zipf(VISITORS)]!;
    at = (at + random.integer(0, 90_000)) % (STARTS_AT + 28 * DAY_MS);
    yield* readSession(random, visitor, session, Math.max(at, STARTS_AT));
  }
}

function* readSession(
  random: Random,
  visitor: Visitor,
  session: number,
  startsAt: number,
): Generator<Sample> {
  let at = startsAt;
  let referrer: string | null = random.pick(referrers);
  const signedIn = random.chance(0.3);
  if (signedIn)
    yield sample(random, visitor, 'user_login', at, { ipAddress: visitor.host, device: 'desktop' });
  const steps = 1 + random.zipf(25);
  for (let step = 0; step < steps; step += 1) {
    at += random.integer(1, 45_000);
    const path = pageOf(random.zipf(PAGES));
    const status = random.pick([200, 200, 200, 200, 304, 200, 302, 404]);
    const bytes = status === 200 ? random.integer(100, 6_000_000_000) : 0;
    const line = {
      session,
      step,
      host: visitor.host,
      method: 'GET',
      path,
      status,
      bytes,
      referrer,
      agent: visitor.agent,
    };
    const [eventType, payload] = action(random, line);
    yield sample(random, visitor, eventType, at, payload);
    referrer = path;
  }
  if (signedIn && random.chance(0.5)) yield sample(random, visitor, 'user_logout', at + 1, undefined);
}

type LogLine = Record<string, unknown> & { path: string; status: number };

function action(random: Random, line: LogLine): [string, Record<string, unknown> | undefined] {
  if (line.status === 404)
    return ['error', { ...line, error: { code: 404, stack: ['router', 'static', null] } }];
  if (line.path.endsWith('.png'))
    return ['download', { ...line, duration: random.next() * 1000, complete: true }];
  const roll = random.next();
  if (roll < 0.6) return ['page_view', line];
  if (roll < 0.8)
    return [
      'click',
      { x: random.integer(-5, 1920), y: random.next() * 1080, target: { tag: 'a', href: line.path } },
    ];
  if (roll < 0.85)
    return [
      'search',
      { q: random.pick(names), hits: random.integer(0, 99), filters: [['price', '<', 9.99]] },
    ];
  if (roll < 0.9)
    return [
      random.pick(['Seite gesehen', '購入', 'cart.item/added v2', 'order_paid']),
      { total: 12.5, ...line },
    ];
  if (roll < 0.93) return ['page_view', random.pick(oddPayloads)];
  return ['heartbeat', random.chance(0.5) ? undefined : {}];
}

/** `payload` is left out of what is sent where it is undefined. */
function sample(
  random: Random,
  { userId }: Visitor,
  eventType: string,
  at: number,
  payload: Record<string, unknown> | undefined,
): Sample {
  const { text, timestamp } = spellMoment(random, at);
  const sent = { userId, eventType, timestamp: text, ...(payload && { payload }) };
  return {
    sent,
    id: undefined,
    expected: { userId: String(userId), eventType, timestamp, payload: payload ?? {} },
  };
}

/** A sample with an id of its own. */
export function withId(random: Random, { sent, expected }: Sample, id: string): Sample {
  const name = random.pick(['eventId', 'id']);
  // Where in the object it stands must not matter.
  return { sent: random.chance(0.5) ? { [name]: id, ...sent } : { ...sent, [name]: id }, id, expected };
}

function createVisitor(random: Random, index: number): Visitor {
  const agent = random.pick(agents);
  const host = random.pick([
    `192.0.2.${index % 256}`,
    `ppp-${index}.dialup.example`,
    `2001:db8::${index.toString(16)}`,
  ]);
  const userId = random.pick<string | number>([
    `user-${index}`,
    index,
    -index - 1,
    4_000_000_000 + index,
    Number.MAX_SAFE_INTEGER - index,
    String(index),
    `${host}@visitor.example`,
    `Besucher Nr. ${index} (Größe XL)`,
    `訪問者-${index}`,
    `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    `${'long-'.repeat(50)}${index}`.slice(0, 256),
    ` leading and trailing ${index} `,
    `$${index}.a/b?c#d%20`,
  ]);
  return { userId, agent, host };
}

function pageOf(rank: number): string {
  return `${folders[rank % folders.length] ?? ''}${names[rank % names.length] ?? ''}`.replace(
    '//',
    `/${rank}/`,
  );
}

function nested(levels: number): Record<string, unknown> {
  return levels === 1 ? { bottom: true } : { in: nested(levels - 1) };
}
