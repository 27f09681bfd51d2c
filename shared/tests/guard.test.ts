import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import {
  checkActivity,
  checkEvent,
  EVENT_ID_LENGTH_MAX,
  EVENT_TYPE_LENGTH_MAX,
  parseTimestamp,
  plainActivity,
  plainEvent,
  USER_ID_LENGTH_MAX,
} from '../event.ts';
import { isStorable } from '../guard.ts';
import { parseJson, readJson } from '../json.ts';
import { findUnstorable, PAYLOAD_DEPTH_MAX } from '../storable.ts';

// Everything is generated as JSON text and parsed as in use, so that keys named __proto__, keys that come twice and
// numbers that are not exact are among it.
const parse = (text: string) => parseJson(Buffer.from(text));
type Field = [name: string, literal: string];
const objectOf = (fields: Field[]) =>
  `{${fields.map(([name, literal]) => `${JSON.stringify(name)}:${literal}`).join()}}`;

const lengths = [EVENT_ID_LENGTH_MAX, EVENT_TYPE_LENGTH_MAX, USER_ID_LENGTH_MAX].flatMap((max) => [
  'x'.repeat(max),
  'x'.repeat(max + 1),
  '\ud83d\ude00'.repeat(max / 2),
  '\ud83d\ude00'.repeat(max / 2) + 'x',
]);
const strangeText = fc.oneof(
  fc.constantFrom('', ' ', '\0', 'nul\0', '\ud800', 'x\udc00', '\udc00\ud800', ...lengths),
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('\0', 'x', '\u00fc', '\ud83d', '\ude00'), { maxLength: 4 })
    .map((units) => units.join('')),
);
const goodText = fc
  .oneof(
    fc.constantFrom(
      'x',
      'page_view',
      '203.0.113.7',
      '\u00fc\ud83d\ude00',
      ...lengths.filter((_, index) => index % 2 === 0),
    ),
    fc.uuid(),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  )
  // fast-check makes it of its own accord.
  .filter((text) => text !== '__proto__');
const number = fc.oneof(
  fc.constantFrom('0', '-0', '-7', '1.5', '1e3', '1e400', '9007199254740991', '-9007199254740991'),
  fc.constantFrom('9007199254740992', '-9007199254740992', '9007199254740993', '1e-400', '1e21'),
  fc.integer().map(String),
);

const digits = (from: number, to: number, width: number) =>
  fc.integer({ min: from, max: to }).map((value) => String(value).padStart(width, '0'));
const date = fc
  .tuple(
    fc.constantFrom('0999', '1000', '1900', '2000', '2023', '2024', '9999'),
    digits(0, 13, 2),
    digits(0, 32, 2),
  )
  .map((parts) => parts.join('-'));
const time = fc.tuple(digits(0, 24, 2), digits(0, 60, 2), digits(0, 60, 2)).map((parts) => parts.join(':'));
const zone = fc.constantFrom('Z', 'z', '', '+00:00', '-00:01', '+0530', '-05', '+24:00');
const fraction = fc.constantFrom('', '.000', '.5', '.25', '.999', '.1234', ',250', '.', '.1234567890');
const iso = fc.oneof(
  date,
  fc.tuple(date, fc.constantFrom('T', 't', ' '), time, fraction, zone).map((parts) => parts.join('')),
  fc
    .tuple(
      date,
      fc.constant('T'),
      time.map((text) => text.slice(0, 5)),
      zone,
    )
    .map((parts) => parts.join('')),
);
const moment = fc
  .date({
    min: new Date('1000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  .map((value) => value.toISOString());
const utc = fc.oneof(
  moment,
  moment.map((text) => `${text.slice(0, 19)}Z`),
);

/** JSON of which most can be stored: `names` and `leaf` say what else is in it. */
function json(names: fc.Arbitrary<string>, leaf: fc.Arbitrary<string>) {
  return fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      tie('object'),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join()}]`),
    ),
    object: fc.array(fc.tuple(names, tie('value')), { maxLength: 4 }).map(objectOf),
  }));
}
const goodLeaf = fc.oneof(
  fc.constantFrom('null', 'true', '0', '-1.5e300', '1698400800000'),
  goodText.map(JSON.stringify as (text: string) => string),
);
const goodName = fc.oneof(
  fc.constantFrom('', '1', '10', 'a', 'b', 'constructor', 'toString', '$set', '$id', 'a.b'),
  goodText,
);
const good = json(goodName, goodLeaf);
const rarely = <T>(strange: fc.Arbitrary<T>, usual: fc.Arbitrary<T>, usualWeight: number) =>
  fc.oneof({ weight: usualWeight, arbitrary: usual }, { weight: 1, arbitrary: strange });
const strange = json(
  rarely(fc.oneof(fc.constantFrom('__proto__', '_bsontype', '$ref', '$id'), strangeText), goodName, 8),
  rarely(
    fc.oneof(
      number,
      strangeText.map((text) => JSON.stringify(text)),
    ),
    goodLeaf,
    8,
  ),
);
const deep = fc
  .tuple(
    fc.integer({ min: PAYLOAD_DEPTH_MAX - 3, max: PAYLOAD_DEPTH_MAX + 2 }),
    fc.boolean(),
    fc.constantFrom('1', '{}', '[]'),
  )
  .map(
    ([depth, list, end]) =>
      `{"a":${(list ? '[' : '{"a":').repeat(depth)}${end}${(list ? ']' : '}').repeat(depth)}}`,
  );

const quoted = (texts: fc.Arbitrary<string>) => texts.map((text) => JSON.stringify(text));
const anything = fc.oneof(
  number,
  quoted(strangeText),
  quoted(iso),
  strange.value,
  deep,
  fc.constantFrom('null', 'true', '[]', '{}'),
);
const isLong = (max: number) => (text: string) => text.length <= max;

const goodFields = {
  eventId: quoted(goodText.filter(isLong(EVENT_ID_LENGTH_MAX))),
  userId: quoted(goodText.filter(isLong(USER_ID_LENGTH_MAX))),
  eventType: quoted(goodText.filter(isLong(EVENT_TYPE_LENGTH_MAX))),
  timestamp: quoted(utc),
  payload: good.object,
};
const goodActivityFields = {
  ...goodFields,
  userId: fc.oneof(goodFields.userId, fc.maxSafeInteger().map(String)),
};
const orNull = (literals: fc.Arbitrary<string>) => fc.oneof(fc.constant('null'), literals);
const goodEventFields = {
  ...goodFields,
  source: quoted(goodText),
  receivedAt: quoted(utc),
  requestId: orNull(quoted(goodText)),
  ip: orNull(quoted(goodText)),
  userAgent: fc.oneof(fc.constantFrom('null', '""'), quoted(goodText)),
};

/** An object with these fields in any order. */
function whole(fields: Record<string, fc.Arbitrary<string>>, requiredKeys?: string[]) {
  return fc
    .record(fields, requiredKeys && { requiredKeys })
    .chain((record) => shuffled(Object.entries(record)))
    .map(objectOf);
}

/** The same, of which some are wrong or missing, with some more that may be wrong or come twice. */
function nearlyWhole(fields: Record<string, fc.Arbitrary<string>>, seldom: string[]) {
  const present = Object.entries(fields).map(([name, literal]) =>
    fc.oneof(
      { weight: 60, arbitrary: fc.tuple(fc.constant(name), literal) },
      { weight: 2, arbitrary: fc.tuple(fc.constant(name), anything) },
      { weight: seldom.includes(name) ? 30 : 1, arbitrary: fc.constant(undefined) },
    ),
  );
  const more = fc.constantFrom(
    '__proto__',
    '_bsontype',
    'id',
    'colour',
    'constructor',
    '',
    ...Object.keys(fields),
  );
  const surplus = fc.array(fc.tuple(more, fc.oneof(anything, quoted(goodText))), { maxLength: 2 });
  return fc
    .tuple(fc.tuple(...present), rarely(surplus, fc.constant<Field[]>([]), 3))
    .chain(([some, others]) => shuffled([...some.filter((field) => field !== undefined), ...others]))
    .map(objectOf);
}

function shuffled(fields: Field[]): fc.Arbitrary<Field[]> {
  return fc.shuffledSubarray(fields, { minLength: fields.length });
}

const withId = ({ eventId, ...fields }: typeof goodActivityFields) => ({ id: eventId, ...fields });
const required = ['userId', 'eventType', 'timestamp'];
const runs = { numRuns: 3_000 };

/** How many of the texts the guard takes; each of those Joi takes too, to the same value. */
function agrees<T extends { payload: unknown }>(
  texts: fc.Arbitrary<string>,
  plain: (input: unknown, isPlain: boolean) => T | undefined,
  check: (input: unknown) => unknown,
): number {
  let taken = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const { value: input, isPlain } = readJson(Buffer.from(text));
      const value = plain(input, isPlain);
      // What is known of the text spares the guard a look and changes no verdict.
      deepStrictEqual(plain(parse(text), false), value);
      if (value === undefined) return;
      taken += 1;
      const checked = check(parse(text));
      deepStrictEqual(checked, { ok: true, value });
      // Equality knows no order.
      expect(JSON.stringify((checked as { value: T }).value.payload)).toBe(JSON.stringify(value.payload));
    }),
    runs,
  );
  return taken;
}

describe('what the guard takes, Joi takes to the same value', () => {
  test.each([
    ['eventId', nearlyWhole(goodActivityFields, ['eventId', 'payload'])],
    ['id', nearlyWhole(withId(goodActivityFields), ['id', 'payload'])],
  ])('activities with %s', (_name, texts) => {
    expect(agrees(texts, plainActivity, checkActivity)).toBeGreaterThan(runs.numRuns / 10);
  });

  test('events', () => {
    expect(agrees(nearlyWhole(goodEventFields, []), plainEvent, checkEvent)).toBeGreaterThan(
      runs.numRuns / 10,
    );
  });

  test('whatever else is JSON', () => {
    agrees(anything, plainActivity, checkActivity);
    agrees(anything, plainEvent, checkEvent);
  });
});

describe('the guard takes what is plainly good', () => {
  test.each([
    ['eventId', whole(goodActivityFields, required)],
    ['id', whole(withId(goodActivityFields), required)],
  ])('activities with %s', (_name, texts) => {
    fc.assert(fc.property(texts, (text) => plainActivity(parse(text)) !== undefined));
  });

  test('events, in the order in which they came', () => {
    fc.assert(
      fc.property(whole(goodEventFields), (text) => {
        const input = parse(text) as object;
        const event = plainEvent(input);
        expect(event && Object.keys(event)).toEqual(Object.keys(input));
      }),
    );
  });

  test('an event whose times are those of the queue is not copied', () => {
    const fields = { ...goodEventFields, timestamp: quoted(moment), receivedAt: quoted(moment) };
    fc.assert(
      fc.property(whole(fields), (text) => {
        const input = parse(text);
        expect(plainEvent(input)).toBe(input);
      }),
    );
  });
});

test('the guard takes no values that are undefined', () => {
  const activity = { userId: 'u', eventType: 't', timestamp: '2023-10-27T10:00:00Z' };
  expect(plainActivity(activity)).toEqual({
    ...activity,
    timestamp: '2023-10-27T10:00:00.000Z',
    payload: {},
  });
  for (const name of ['eventId', 'id', 'payload', 'colour']) {
    expect(plainActivity({ ...activity, [name]: undefined })).toBeUndefined();
  }
});

test('isStorable is that findUnstorable finds nothing', () => {
  fc.assert(
    fc.property(fc.oneof(strange.value, deep), (text) => {
      const { value, isPlain } = readJson(Buffer.from(text));
      const holds = findUnstorable(value).length === 0;
      expect(isStorable(value, false)).toBe(holds);
      expect(isStorable(value, isPlain)).toBe(holds);
    }),
    runs,
  );
});

describe('a time in UTC is read as the same time at +00:00', () => {
  const agree = (text: string) => expect(parseTimestamp(`${text}Z`)).toBe(parseTimestamp(`${text}+00:00`));

  test('on every day', () => {
    for (const year of ['0999', '1000', '1900', '2000', '2023', '2024', '9999']) {
      for (let month = 0; month <= 13; month += 1) {
        for (let day = 0; day <= 32; day += 1) {
          agree(`${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T10:00:00.000`);
        }
      }
    }
  });

  test('at any time', () => {
    fc.assert(
      fc.property(date, time, fraction, (day, clock, rest) => agree(`${day}T${clock}${rest}`)),
      runs,
    );
  });
});
