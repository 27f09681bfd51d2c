import { parseJson } from '../json.ts';
import { FAULTS_MAX, findUnstorable, PAYLOAD_DEPTH_MAX } from '../storable.ts';

const fields = (value: unknown) => findUnstorable(value).map(({ field }) => field);

/** Objects within objects, `depth` of them. */
function nested(depth: number, innermost: unknown = 'end'): unknown {
  let value = innermost;
  for (let level = 0; level < depth; level++) value = { a: value };
  return value;
}

describe('findUnstorable', () => {
  test.each([
    [{}],
    [[]],
    ['text'],
    [null],
    [{ text: 'ü 😀 \n\t\u0001', number: -1.5e300, list: [1, [2, { three: [] }]], none: null, yes: true }],
    [{ $set: 1, 'a.b': 2, '': 3, constructor: 4, prototype: 5, _id: 6, toString: 7, $ref: 8 }],
    [{ $id: 1 }],
    [nested(PAYLOAD_DEPTH_MAX)],
  ])('%j can be stored everywhere', (value) => {
    expect(findUnstorable(value)).toEqual([]);
  });

  test.each([
    [{ a: 'nul\0' }, 'a'],
    [{ a: { b: ['fine', '\ud800'] } }, 'a.b.1'],
    [{ a: '\udc00\ud800' }, 'a'],
    [{ 'nul\0': 1 }, ''],
    [{ a: { '\ud800': 1 } }, 'a'],
    [{ _bsontype: 'ObjectId' }, ''],
    [{ a: [{ _bsontype: 1 }] }, 'a.0'],
    [{ a: { $ref: 'users', $id: 1 } }, 'a'],
    [JSON.parse('{"a":{"__proto__":{"polluted":true}}}'), 'a'],
    [parseJson(Buffer.from('{"a":[1,9223372036854775808]}')), 'a.1'],
    ['nul\0', ''],
    [nested(PAYLOAD_DEPTH_MAX, {}), Array(PAYLOAD_DEPTH_MAX).fill('a').join('.')],
    [nested(PAYLOAD_DEPTH_MAX, []), Array(PAYLOAD_DEPTH_MAX).fill('a').join('.')],
  ])('%j cannot: %j', (value, field) => {
    expect(fields(value)).toEqual([field]);
  });

  test('every fault is named, up to a limit', () => {
    expect(fields({ a: '\0', b: ['\0', { c: '\ud800', _bsontype: 1 }] })).toEqual([
      'a',
      'b.0',
      'b.1.c',
      'b.1',
    ]);
    expect(fields(Array(1_000).fill('\0'))).toHaveLength(FAULTS_MAX);
  });

  test('what is nested a hundred thousand levels deep does not end the process', () => {
    const depth = 100_000;
    const value: unknown = JSON.parse('['.repeat(depth) + ']'.repeat(depth));
    expect(findUnstorable({ value })).toHaveLength(1);
  });
});
