import fc from 'fast-check';
import { type ActivityEvent, parseActivity, parseEvent } from '../event.ts';
import { parseJson } from '../json.ts';
import { packBatch, packEvent, readMessage } from '../message.ts';
import { makeEvent, range } from './queue-fixture.ts';

const FIELDS = Object.keys(makeEvent(1));

// Everything is generated as JSON text, as a client writes it: spaces, escapes, keys that come twice, any order.
const space = fc.constantFrom('', '', '', ' ', '\n', '\t ', '\r\n  ');
const strangeText = fc.constantFrom(
  '{"batch":[',
  '],"eventIds":["x"],',
  ']}',
  '}',
  ',{',
  '"',
  '\\',
  '\\"}',
  '\u2028',
  'Jürgen 😀',
);
const text = fc.oneof(strangeText, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }));
/** A string in one of the many ways to write it. */
const literalOf = (content: string) =>
  fc.constantFrom(
    JSON.stringify(content),
    JSON.stringify(content).replaceAll('/', '\\/'),
    `"${content.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`,
  );
const stringLiteral = text.chain(literalOf);
const number = fc.constantFrom('0', '1.0', '1e2', '-1.5E+3', '0.1', '9007199254740991', '1e21', '100e-2');
const key = fc.oneof(
  fc.constantFrom('"a"', '"a"', String.raw`"\u0061"`, '"batch"', '"eventIds"', '"eventId"'),
  stringLiteral,
);
const { payload } = fc.letrec<{ value: string; payload: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(number, stringLiteral, fc.constantFrom('true', 'false', 'null')),
    tie('payload'),
    tie('array'),
  ),
  payload: fc
    .tuple(fc.array(fc.tuple(space, key, space, tie('value'), space), { maxLength: 4 }), space)
    .map(([fields, rest]) => {
      const texts = fields.map(([a, name, b, value, c]) => `${a}${name}${b}:${b}${value}${c}`);
      return `{${texts.join()}${rest}}`;
    }),
  array: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 3 })
    .map((items) => `[${items.map((parts) => parts.join('')).join()}]`),
}));

const own = ['"userId"', '"eventType"', '"timestamp"', '"payload"'] as const;
/** A good activity that the API has nothing to alter of; each of its keys may come twice, and the last one counts. */
const activityText = fc
  .record({
    values: fc.tuple(stringLiteral, stringLiteral, fc.constant('"2023-10-27T10:00:00.000Z"'), payload),
    again: fc.subarray([...own]),
    order: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4, maxLength: 4 }),
    spaces: fc.tuple(space, space, space),
  })
  .map(({ values, again, order, spaces: [before, amid, after] }) => {
    const first = again.map((name) => `${name}:"in vain"`);
    const fields = order.map((at) => `${amid}${own[at]}${amid}:${before}${values[at]}`);
    return `{${before}${[...first, ...fields].join()}${after}}`;
  })
  .filter((json) => parseActivity(parseJson(Buffer.from(json))).ok);

const id = fc.oneof(fc.uuid(), fc.constantFrom('key-0', '"}],"', '],"eventIds":["x"'));
const facts = fc.record({
  source: fc.constant('activities'),
  receivedAt: fc.constant('2023-10-27T10:00:01.000Z'),
  requestId: fc.option(fc.constantFrom('request-1', '],"eventIds":[')),
  ip: fc.option(fc.constantFrom('203.0.113.7', '2001:db8::1')),
  userAgent: fc.option(fc.oneof(fc.constant(''), fc.constantFrom('"}]', '{"batch":[', 'ü'))),
});
const request = fc.record({
  items: fc.array(fc.tuple(activityText, id, space, space), { minLength: 1, maxLength: 6 }),
  common: facts,
});

function eventsOf(
  items: readonly (readonly [json: string, eventId: string, ...spaces: string[]])[],
  common: object,
) {
  return items.map(
    ([json, eventId]) => ({ ...(JSON.parse(json) as object), eventId, ...common }) as ActivityEvent,
  );
}

function pack(bytes: Buffer, events: ActivityEvent[]): Buffer {
  const eventIds = JSON.stringify(events.map(({ eventId }) => eventId));
  return packBatch({ bytes, eventIds }, events[0]!);
}

/** The one event that a message of its own holds. */
function readOne(bytes: Buffer): unknown {
  const { events, isOne } = readMessage(bytes);
  expect([isOne, events.length]).toEqual([true, 1]);
  return events[0];
}

test('a batch is read as the events that it was packed from, whatever its client has written', () => {
  fc.assert(
    fc.property(request, ({ items, common }) => {
      const events = eventsOf(items, common);
      const asSent = Buffer.from(`[${items.map(([json, , a, b]) => `${a}${json}${b}`).join()}]`);
      const message = readMessage(pack(asSent, events));
      expect(message.isOne).toBe(false);
      expect(message.events).toEqual(events);
      expect(message.events.map((event) => parseEvent(event).ok)).toEqual(events.map(() => true));
      for (const [index, event] of events.entries()) {
        expect(parseEvent(readOne(message.bytesOf(index)))).toEqual({ ok: true, value: event });
      }
    }),
    { numRuns: 500 },
  );
});

test('an event is one flat object, read as what it was packed from', () => {
  fc.assert(
    fc.property(activityText, id, facts, (json, eventId, common) => {
      const [event] = eventsOf([[json, eventId]], common) as [ActivityEvent];
      const asSent = { bytes: Buffer.from(json), text: json, eventIds: JSON.stringify([eventId]) };
      const packed = packEvent(asSent, event);
      const body = Buffer.from(packed.text);
      expect(packed.bytes).toBe(body.length);
      const read = readOne(body);
      expect(parseEvent(read)).toEqual({ ok: true, value: event });
      expect(Object.keys(read as object).sort()).toEqual(FIELDS.toSorted());
      expect(body.subarray(0, Buffer.byteLength(json) - 1).toString()).toBe(json.slice(0, -1));
    }),
    { numRuns: 500 },
  );
});

test('the bytes of the client are in the message as they came', () => {
  const [first, second] = ['{ "payload":{"n":1.0,"n":1e2} }', '\n{"payload":{"s":"\\u00e9]}"}}'];
  const asSent = `[${first}, ${second} ]`;
  const body = pack(Buffer.from(asSent), [makeEvent('a'), makeEvent('b')]);
  expect(body.toString()).toBe(
    `{"batch":${asSent},"eventIds":["a","b"],"source":"activities",` +
      '"receivedAt":"2023-10-27T10:00:01.000Z","requestId":null,"ip":null,"userAgent":null}',
  );
  expect(readMessage(body).bytesOf(0).toString()).toBe(
    '{ "payload":{"n":1.0,"n":1e2} ,"eventId":"a","source":"activities",' +
      '"receivedAt":"2023-10-27T10:00:01.000Z","requestId":null,"ip":null,"userAgent":null}',
  );
});

test('an array is read as its items, each with its own bytes', () => {
  const body = Buffer.from('[{"a":1.0}, {"b":"]"} ,3]');
  const { events, isOne, bytesOf } = readMessage(body);
  expect([events, isOne]).toEqual([[{ a: 1 }, { b: ']' }, 3], false]);
  expect(range(3).map((index) => bytesOf(index).toString())).toEqual(['{"a":1.0}', ' {"b":"]"} ', '3']);
});

test('a __proto__ in a batch stays a key, and a bad one', () => {
  const asSent = Buffer.from('[{"__proto__":{"userId":"u"},"eventType":"t"},{}]');
  const message = readMessage(pack(asSent, [makeEvent('a'), makeEvent('b')]));
  expect(Object.keys(message.events[0] as object)).toContain('__proto__');
  expect(message.events.map((event) => parseEvent(event).ok)).toEqual([false, false]);
  expect(Object.keys(readOne(message.bytesOf(0)) as object)).toContain('__proto__');
  expect(readOne(message.bytesOf(1))).toMatchObject({ eventId: 'b', source: 'activities' });
});

const FACTS = '"source":"s","receivedAt":"r","requestId":null,"ip":null,"userAgent":null';
const deep = '['.repeat(100_000) + ']'.repeat(100_000);

describe('A message of another program that begins like a batch', () => {
  test.each([
    ['without facts', '{"batch":[{"a":1}]}'],
    ['with other names', '{"batch":[{"a":1}],"ids":["x"],"source":"s"}'],
    ['with too few ids', `{"batch":[{"a":1},{"b":2}],"eventIds":["x"],${FACTS}}`],
    ['with too many ids', `{"batch":[{"a":1}],"eventIds":["x","y"],${FACTS}}`],
    ['with ids that are no strings', `{"batch":[{"a":1}],"eventIds":[{"n":1}],${FACTS}}`],
    ['with facts that are no strings', `{"batch":[{"a":1}],"eventIds":["x"],${FACTS.replace('"s"', '7')}}`],
    ['with facts within each other', `{"batch":[{"a":1}],"eventIds":["x"],${FACTS.replace('"s"', deep)}}`],
    ['with a text as item', `{"batch":["a}b"],"eventIds":["x"],${FACTS}}`],
    ['with an array as item', `{"batch":[[{"a":1},5]],"eventIds":["x"],${FACTS}}`],
    ['with null as item', `{"batch":[{"a":1},null],"eventIds":["x","y"],${FACTS}}`],
    ['with a number as item', `{"batch":[1],"eventIds":["x"],${FACTS}}`],
    ['with a text of sixteen megabytes', `{"batch":["${'x'.repeat(16_000_000)}"],"eventIds":["x"],${FACTS}}`],
    ['with an object as batch', `{"batch":{"length":1},"eventIds":["x"],${FACTS}}`],
    ['in another order', `{"eventIds":["x"],"batch":[{"a":1}],${FACTS}}`],
    ['with spaces', `{ "batch":[{"a":1}],"eventIds":["x"],${FACTS}}`],
    ['with a space before the array', `{"batch": [{"a":1}],"eventIds":["x"],${FACTS}}`],
    ['with a second batch that is none', `{"batch":[{"a":1}],"eventIds":["x"],${FACTS},"batch":7}`],
  ])('%s is one event, and a bad one, with all its bytes', (_name, json) => {
    const body = Buffer.from(json);
    const { events, isOne, bytesOf } = readMessage(body);
    expect([events.length, isOne, parseEvent(events[0]).ok]).toEqual([1, true, false]);
    expect(bytesOf(0)).toBe(body);
  });

  test.each([
    ['before the ids', `{"batch":[{"a":1}],"batch":[{"b":2}],"eventIds":["x"],${FACTS}}`],
    ['behind the facts', `{"batch":[{"a":1}],"eventIds":["x"],${FACTS},"batch":[{"b":2}]}`],
    ['with an escape in its name', `{"batch":[{"a":1}],"eventIds":["x"],${FACTS},"b\\u0061tch":[{"b":2}]}`],
  ])('and says batch twice, %s, has events that bring all its bytes along', (_name, json) => {
    const body = Buffer.from(json);
    const { events, bytesOf } = readMessage(body);
    expect(events).toMatchObject([{ b: 2, eventId: 'x' }]);
    expect(bytesOf(0)).toBe(body);
  });

  test.each([
    ['more fields', `{"batch":[{"a":1}],"eventIds":["x"],${FACTS},"more":1e400}`],
    ['spaces in it', `{"batch":[{"a":1}] ,"eventIds":["x"],${FACTS}}`],
    ['an id with a mark for a number', `{"batch":[{"a":1}],"eventIds":[9007199254740993],${FACTS}}`],
  ])('and has %s loses none of its bytes', (_name, json) => {
    const body = Buffer.from(json);
    expect(readMessage(body).bytesOf(0)).toBe(body);
  });

  test('and is empty has no event at all', () => {
    expect(readMessage(Buffer.from(`{"batch":[],"eventIds":[],${FACTS}}`)).events).toEqual([]);
  });

  test.each(['{"batch":[]', '{"batch":[]} {}', '{"batch":[', '{"batch":[{]}', '{"batch":[],}'])(
    'and is no JSON is refused: %s',
    (json) => {
      expect(() => readMessage(Buffer.from(json))).toThrow(SyntaxError);
    },
  );

  test('throws nothing but what parseJson throws, and gives each event bytes that it can be read from', () => {
    const part = fc.oneof(
      fc.constantFrom('"batch":[{"a":1}]', '"batch":[{"b":"}"},{}]', '"batch":[]', '"batch":["}"]'),
      fc.constantFrom('"eventIds":["x"]', '"eventIds":["x","y"]', '"eventIds":[]', FACTS, '"source":1'),
    );
    const foreign = fc.oneof(
      fc.array(part, { maxLength: 4 }).map((parts) => `{"batch":[{"a":1}],${parts.join()}}`),
      fc.tuple(fc.constantFrom('{"batch":[', '{"batch":'), fc.string()).map((parts) => parts.join('')),
      fc.json().map((json) => `{"batch":[${json}],"eventIds":["x"],${FACTS}}`),
    );
    fc.assert(
      fc.property(foreign, (json) => {
        const body = Buffer.from(json);
        let value: unknown;
        try {
          value = parseJson(body);
        } catch (error) {
          expect(() => readMessage(body)).toThrow((error as Error).constructor as new () => Error);
          return;
        }
        const { events, isOne, bytesOf } = readMessage(body);
        if (isOne) expect(events).toEqual([value]);
        for (const [index, event] of events.entries()) {
          const bytes = bytesOf(index);
          if (bytes !== body) expect(readOne(bytes)).toEqual(event);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
