import { inexactNumber, itemsOfArray, parseJson } from '../json.ts';

const parse = (text: string) => parseJson(Buffer.from(text));

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
