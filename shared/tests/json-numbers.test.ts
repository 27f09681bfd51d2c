import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import { parseJson } from '../json.ts';

const parse = (text: string) => parseJson(Buffer.from(text));

const digits = (minLength: number, maxLength: number) =>
  fc.oneof(
    fc.array(fc.constantFrom(...'0123456789'), { minLength, maxLength }).map((all) => all.join('')),
    fc.integer({ min: minLength, max: maxLength }).map((length) => '0'.repeat(length)),
  );
const whole = fc.oneof(
  fc.constant('0'),
  fc
    .tuple(fc.constantFrom(...'123456789'), fc.oneof(digits(0, 5), digits(12, 18), digits(0, 330)))
    .map((all) => all.join('')),
  // Around 2^53, and with a last digit that counts.
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 9n }).map(String),
);
const fraction = fc.oneof(
  fc.constantFrom('', '', '.0', '.5'),
  fc
    .tuple(fc.oneof(digits(0, 4), digits(10, 25), digits(300, 340)), digits(1, 3))
    .map((all) => `.${all.join('')}`),
);
const exponent = fc.oneof(
  fc.constant(''),
  fc
    .tuple(
      fc.constantFrom('e', 'E'),
      fc.constantFrom('', '+', '-'),
      fc.oneof(digits(1, 2), digits(3, 3), digits(4, 5)),
    )
    .map((all) => all.join('')),
);
/** A whole number that is written with a point and the exponent that takes it away. */
const shifted = fc
  .tuple(fc.bigInt({ min: 10n ** 14n, max: 10n ** 17n }).map(String), fc.integer({ min: 1, max: 14 }))
  .map(([all, at]) => `${all.slice(0, at)}.${all.slice(at)}e${all.length - at}`);
const literal = fc.oneof(
  shifted,
  fc.tuple(fc.constantFrom('', '-'), whole, fraction, exponent).map((all) => all.join('')),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);
const space = fc.constantFrom('', '', ' ', '\n', '\t', '\r\n');
const text = fc.oneof(
  fc.uuid(),
  fc.string(),
  literal,
  fc.constantFrom('1e400', ' 1e400', ':1234567890123456', '"', '\\"', '\\'),
);
const item = fc.oneof(
  literal,
  text.map((value) => JSON.stringify(value)),
  fc
    .tuple(text, space, space, literal, space)
    .map(([name, a, b, value, c]) => `{${JSON.stringify(name)}${a}:${b}${value}${c}}`),
  fc.tuple(space, literal, space).map(([a, value, b]) => `[${a}${value}${b}]`),
);

/** Sixteen digits that no double alters: with them in a text, every number of it is looked at. */
const closely = '1234567890123456';

test('no number that is altered is passed over, wherever it stands', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(space, item, space).map((all) => all.join(''))), (items) => {
      const [first, ...others] = parse(`[${[closely, ...items].join()}]`) as unknown[];
      expect(first).toBe(Number(closely));
      deepStrictEqual(parse(`[${items.join()}]`), others);
    }),
    { numRuns: 5_000 },
  );
});

test('nor one that is all of a text', () => {
  fc.assert(
    fc.property(space, literal, space, (before, value, after) => {
      deepStrictEqual([parse(before + value + after)], parse(`[${value}]`));
    }),
    { numRuns: 5_000 },
  );
});
