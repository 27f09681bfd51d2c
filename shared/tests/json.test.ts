import fc from 'fast-check';
import { inexactNumber, itemsOfArray, parseJson, quote } from '../json.ts';

const parse = (text: string) => parseJson(Buffer.from(text));

/** A digit run that no double is meant for; it makes `parseJson` look at the numbers of the whole text. */
const suspicious = '"0123456789012345"';

describe('parseJson', () => {
  test.each([
    'null',
    'true',
    '""',
    '0',
    '-1.5',
    '1e3',
    '[]',
    '{"a":[1,{"b":"c"}]}',
    ' \t\r\n{"a" : 1 , "b":[ ] }\n',
    String.raw`{"escaped \" \\ \/ \b \n \u00e9 \ud83d\ude00":"\"1234567890123456789\" \\"}`,
    String.raw`["\\",12345,"\\\"",-67]`,
    `{"1234567890123456789":"9007199254740993"}`,
    `["order 12345678901234567890, 1e400", 5]`,
    `["ends with a backslash \\\\", 9007199254740991, ${suspicious}]`,
    `[${suspicious}, 9007199254740991, -9007199254740991, 9007199254740992]`,
    `[${suspicious}, 0, -0, 0.0, -0.0, 0e0, 0e999, 0.0e-999]`,
    `[${suspicious}, 1e3, 1E+3, 1e-3, 1.5e300, 1.7976931348623157e308, 5e-324]`,
    `[${suspicious}, 3.141592653589793238462643383279]`,
    `[${suspicious}, true, false, null, "", [], {}]`,
  ])('%s is what JSON.parse makes of it', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  test.each([
    '9007199254740993',
    '-9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '12345678901234567890',
    '1e400',
    '-1e400',
    '1E+400',
    '1e-400',
    '-1.5e-400',
    '1.8e308',
    '1'.repeat(400),
    `0.${'0'.repeat(400)}1`,
  ])('%s is marked as no exact number, wherever it stands', (literal) => {
    for (const value of [parse(literal), ...(parse(`[${literal}, ${literal} ]`) as unknown[])]) {
      expect(typeof value).toBe('string');
      expect(inexactNumber(value as string)).toBe(literal);
    }
    const nested = parse(`{"${literal}":{"a":"${literal}","b":${literal}}}`) as Record<string, unknown>;
    expect(Object.keys(nested)).toEqual([literal]);
    const { a, b } = nested[literal] as { a: string; b: string };
    expect(a).toBe(literal);
    expect(inexactNumber(b)).toBe(literal);
  });

  test.each([
    '',
    ' ',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '[1,2',
    '"open',
    'undefined',
    'NaN',
    '01',
    '+1',
    '1.',
    '.5',
    '1 2',
    '{"a":1}}',
    '"line\nbreak"',
    '012345678901234567890',
    '[12345678901234567890,]',
  ])('%j is not JSON', (text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });

  test.each([
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xc0, 0xaf, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
    [0xff, 0xfe, 0x22, 0x00, 0x22, 0x00],
  ])('bytes that are not UTF-8 are not decoded to something else (%#)', (...bytes) => {
    expect(() => parseJson(Uint8Array.from(bytes))).toThrow('encoded data was not valid');
  });

  test('a byte order mark is passed over', () => {
    expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 });
  });

  test('texts made to be slow to scan take linear time', () => {
    const size = 2_000_000;
    parse(`["${'\\\\'.repeat(size)}", ${suspicious}]`);
    parse(`[${'1234567890123456,'.repeat(size / 20)}1]`);
    expect(() => parse(`"${'\\"'.repeat(size)}`)).toThrow(SyntaxError);
    expect(() => parse('9'.repeat(size) + 'x')).toThrow(SyntaxError);
  });
});

describe('inexactNumber', () => {
  test.each(['', '1', '9007199254740993', 'text', '\0', '\0text', '\0 1', '\x001e', '\x001\n', '1\0'])(
    '%j stands for itself',
    (text) => {
      expect(inexactNumber(text)).toBeUndefined();
    },
  );
});

test.each([
  '0',
  '-0',
  '-0.0',
  '0e5',
  '1.0',
  '1.50',
  '-17e-2',
  '0.1',
  '0.30000000000000004',
  '9007199254740992',
  '9007199254740992.0',
  '9.007199254740992e15',
  '1e21',
  '1000000000000000000000',
  '100000000000000000000000000e-5',
  '1e100',
  '1.7976931348623157e308',
  '5e-324',
])('the number %s is kept', (literal) => {
  // The second form is looked at number by number.
  expect(parse(`[${literal}]`)).toEqual([Number(literal)]);
  expect(parse(`[${literal},"1234567890123456"]`)).toEqual([Number(literal), '1234567890123456']);
});

test.each([
  '9007199254740993',
  '-9007199254740993',
  '9007199254740993.0',
  '9.007199254740993e15',
  '90071992547409930e-1',
  '9223372036854775808',
  '9.223372036854775807e18',
  '18446744073709551616',
  '123456789012345678901234567890',
  '1e309',
  '-1e400',
  '1e-400',
  `1${'0'.repeat(400)}`,
  '1E+999999999999999999999',
])('the number %s, which a double would alter, is marked', (literal) => {
  const [marked] = parse(`[${literal}]`) as [string];
  expect(inexactNumber(marked)).toBe(literal);
});

test('no string that was sent is taken for a marked number', () => {
  for (const text of ['\0', '\x001e400', '\x00 1e400', '1e400']) {
    expect(inexactNumber((parse(JSON.stringify([text, '1234567890123456'])) as [string])[0])).toBeUndefined();
  }
});

test('digits in strings and keys stay what they are, whatever is escaped around them', () => {
  const value = { '1e400"': ['\\', '9223372036854775808', '\\"1e400', '"', '\\\\', '1e999\\'], 'k\\': 1e5 };
  const text = JSON.stringify(value);
  expect(parse(text)).toEqual(value);
  expect(parse(text.replace('100000', '1e400'))).toEqual({
    ...value,
    'k\\': expect.stringContaining('1e400') as string,
  });
});

test.each([
  ['escapes', `["${String.raw`\n\"`.repeat(4_000_000)}",1234567890123456]`],
  ['backslashes', `["${'\\\\'.repeat(8_000_000)}",1234567890123456]`],
  ['digits', `[0.${'12'.repeat(8_000_000)}]`],
  ['zeros', `[1${'0'.repeat(16_000_000)}]`],
  ['zeros with an end', `[0.${'0'.repeat(16_000_000)}1]`],
  ['numbers', `[${'1e400,'.repeat(500_000)}1]`],
])('sixteen megabytes of %s are parsed', (_name, text) => {
  expect(Array.isArray(parse(text))).toBe(true);
});

test('the items of an array are its own bytes', () => {
  const items = ['{"a":[1,{"b":"]"}],"a":2}', ' 1e400 ', '"\\",[\\\\"', '[[],[]]', '\n{}', 'null', '"ä😀"'];
  const text = `\ufeff [${items.join()}] `;
  expect(parse(text)).toHaveLength(items.length);
  expect(itemsOfArray(Buffer.from(text)).map(String)).toEqual(items);
  const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
  expect(itemsOfArray(Buffer.from(`[1,${deep}]`)).map(({ length }) => length)).toEqual([1, deep.length]);
});

test('a text is quoted as JSON.stringify does it', () => {
  const units = fc.constantFrom('grapheme-ascii' as const, 'binary' as const);
  fc.assert(
    fc.property(fc.option(units.chain((unit) => fc.string({ unit }))), (text) => {
      expect(quote(text)).toBe(JSON.stringify(text));
    }),
    { numRuns: 1000 },
  );
  const ascii = Array.from({ length: 160 }, (_, code) => String.fromCharCode(code));
  expect(ascii.map(quote)).toEqual(ascii.map((text) => JSON.stringify(text)));
});
