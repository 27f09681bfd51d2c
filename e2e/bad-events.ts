import { type Random } from '../tools/random.ts';
import { type Sample } from './web-log.ts';

/** What is wrong with an event, and the fields that the answer must name for it. */
export interface Fault {
  fields: string[];
  /** Returns the event with the fault in it; it may be anything but an object too. */
  spoil(event: Record<string, unknown>): unknown;
}

/** An event that must be refused, as JSON text. */
export interface BadEvent {
  text: string;
  fields: string[];
}

const LITERAL = 'literal:';

/** A number as it is written, which JavaScript could not hold. */
const literal = (text: string) => LITERAL + text;

/** JSON text, where a value made by `literal` stands without its quotes. */
function toText(value: unknown): string {
  return JSON.stringify(value).replace(/"literal:([^"]*)"/g, '$1');
}

function set(field: string, ...values: unknown[]): Fault[] {
  return values.map((value) => ({ fields: [field], spoil: (event) => ({ ...event, [field]: value }) }));
}

function leaveOut(field: string): Fault {
  return { fields: [field], spoil: ({ [field]: _left, ...rest }) => rest };
}

function payload(field: string, value: unknown): Fault {
  const fields = [field === '' ? 'payload' : `payload.${field}`];
  return { fields, spoil: (event) => ({ ...event, payload: value }) };
}

function nested(levels: number): unknown {
  return levels === 0 ? 'bottom' : { in: nested(levels - 1) };
}

/** An own property of that name, which `{ __proto__: .. }` would not make. */
function withKey(key: string, value: unknown): object {
  return Object.defineProperty({}, key, { value, enumerable: true });
}

/** Faults of one field each, by field. */
const byField: Record<string, Fault[]> = {
  userId: [
    leaveOut('userId'),
    ...set('userId', '', null, true, 1.5, [], ['user-1'], {}, { $gt: '' }, 'u'.repeat(257), 'a\0b', '\ud800'),
    ...set('userId', literal('9007199254740993'), literal('-9223372036854775809'), literal('1e400')),
  ],
  eventType: [
    leaveOut('eventType'),
    ...set(
      'eventType',
      '',
      null,
      7,
      false,
      ['page_view'],
      { $ne: 1 },
      'e'.repeat(129),
      'page\0view',
      '\udfff!',
    ),
  ],
  timestamp: [
    leaveOut('timestamp'),
    ...set(
      'timestamp',
      '',
      null,
      804_571_201,
      literal('1783072801000'),
      true,
      [],
      {},
      'yesterday',
      '27.10.2023',
    ),
    ...set('timestamp', '01/Jul/1995:00:00:01 -0400', '2025-02-29T10:00:00Z', '2025-04-31', '2025-13-01'),
    ...set('timestamp', '2025-07-01T25:00:00Z', '2025-07-01T10:61:00Z', '2025-07-01T10:00:00+25:00'),
    ...set('timestamp', '2025-07-01 10:00:00Z', ' 2025-07-01T10:00:00Z', '0999-12-31T23:59:59Z'),
    ...set('timestamp', '9999-12-31T23:59:59-01:00', '+012025-07-01T10:00:00Z', '2025-07-01T10:00:00Z\0'),
    ...set('timestamp', '2025-7-1', '20250701T100000Z', '2025-07-01T10:00:00 Europe/Kyiv', '1e400'),
  ],
  payload: [
    ...set('payload', null, 'text', 5, true, [], [{ page: '/' }]),
    payload('amount', { amount: literal('1e400') }),
    payload('id', { id: literal('9223372036854775809') }),
    payload('', literal('12345678901234567890123')),
    payload('items.1.price', { items: [1, { price: literal('-1E+999') }] }),
    payload('note', { note: 'a\0b' }),
    payload('a.b', { a: { b: { 'c\0d': 1 } } }),
    payload('list.2', { list: ['', '😀', '\ud83d'] }),
    payload('', { '\udc00': 1 }),
    payload('', withKey('__proto__', { admin: true })),
    payload('user', { user: withKey('__proto__', 1) }),
    payload('', { _bsontype: 'ObjectID', id: 'x' }),
    payload('a.0', { a: [{ _bsontype: 'Binary' }] }),
    payload(Array(64).fill('in').join('.'), nested(65)),
    payload(Array(64).fill('in').join('.'), nested(150)),
  ],
  eventId: [
    { fields: ['eventId'], spoil: ({ id: _id, ...event }) => ({ ...event, eventId: '' }) },
    { fields: ['eventId'], spoil: ({ id: _id, ...event }) => ({ ...event, eventId: 17 }) },
    { fields: ['id'], spoil: ({ eventId: _id, ...event }) => ({ ...event, id: null }) },
    { fields: ['id'], spoil: ({ eventId: _id, ...event }) => ({ ...event, id: 'i'.repeat(129) }) },
    { fields: ['id'], spoil: ({ eventId: _id, ...event }) => ({ ...event, id: 'a\0' }) },
    { fields: [''], spoil: (event) => ({ ...event, id: 'one', eventId: 'two' }) },
  ],
  unknown: [
    ...set('colour', 'red'),
    ...set('user_id', 17),
    ...set('metadata', {}),
    ...set('source', 'activities'),
    ...set('receivedAt', '2025-07-01T10:00:00Z'),
    { fields: ['__proto__'], spoil: (event) => Object.assign(withKey('__proto__', { id: 'mine' }), event) },
    { fields: ['first', 'second'], spoil: (event) => ({ first: 1, ...event, second: 2 }) },
  ],
};

/** What is not even an object; the whole of it is to blame. */
const noObjects = [null, true, 5, 'text', [], [{ userId: 'user-1' }], literal('1e400')];

/** Every fault once, by itself. */
export const singleFaults: readonly Fault[] = [
  ...Object.values(byField).flat(),
  ...noObjects.map((value) => ({ fields: [''], spoil: () => value })),
];

/** An event with faults in some of its fields at once. */
function severalFaults(random: Random): Fault[] {
  const fields = Object.values(byField).filter(() => random.chance(0.5));
  return fields.map((faults) => random.pick(faults));
}

/** The `nth` bad event made of a good one: first each fault by itself, after that faults of several fields at once. */
export function spoil(random: Random, { sent }: Sample, nth: number): BadEvent {
  const single = singleFaults[nth];
  const chosen = single ? [single] : severalFaults(random);
  const faults = chosen.length > 0 ? chosen : [random.pick(singleFaults)];
  const value = faults.reduce<unknown>(
    (event, fault) => fault.spoil(event as Record<string, unknown>),
    structuredClone(sent),
  );
  return { text: toText(value), fields: faults.flatMap(({ fields }) => fields) };
}
