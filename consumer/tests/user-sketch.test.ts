import fc from 'fast-check';
import { EXACT_USERS_MAX, UserSketch } from '../store/user-sketch.ts';

/** Users of these numbers; few, or so many that their hashes are left for registers. */
const users = fc
  .record({
    from: fc.nat(3000),
    count: fc.oneof(fc.nat(20), fc.nat(3000), fc.constantFrom(EXACT_USERS_MAX, EXACT_USERS_MAX + 1)),
  })
  .map(({ from, count }) => Array.from({ length: count }, (_, index) => `user-${from + index}`));

function sketchOf(ids: Iterable<string>): UserSketch {
  const sketch = new UserSketch();
  for (const id of ids) sketch.add(id);
  return sketch;
}

const encode = (ids: Iterable<string>) => sketchOf(ids).encode();

function merge(...encoded: string[]): string {
  const sketch = new UserSketch();
  for (const one of encoded) sketch.merge(one);
  return sketch.encode();
}

test('few users are counted exactly, however often they come', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: EXACT_USERS_MAX }), (ids) => {
      expect(sketchOf([...ids, ...ids]).estimate()).toBe(new Set(ids).size);
    }),
  );
});

test.each([EXACT_USERS_MAX + 1, 2000, 5000, 12_000, 50_000, 300_000])(
  '%i users are estimated within four standard errors, whoever they are',
  (count) => {
    // Of the same users a sketch is always the same, so that this holds for ever or never.
    for (const name of ['user', 'anonymous', 'günther']) {
      const ids = Array.from({ length: count }, (_, index) => `${name}-${index}`);
      const error = sketchOf(ids).estimate() / count - 1;
      expect(Math.abs(error)).toBeLessThan(4 * 0.01625);
    }
  },
);

test('the estimate has no bias', () => {
  const errors = Array.from({ length: 100 }, (_, run) => {
    const ids = Array.from({ length: 8000 }, (_user, index) => `${run}:${index}`);
    return sketchOf(ids).estimate() / 8000 - 1;
  });
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  expect(Math.abs(mean)).toBeLessThan((4 * 0.01625) / Math.sqrt(errors.length));
});

test('merging is associative, commutative and idempotent, and the same as counting all users at once', () => {
  fc.assert(
    fc.property(users, users, users, (a, b, c) => {
      const [x, y, z] = [encode(a), encode(b), encode(c)];
      const all = encode([...a, ...b, ...c]);
      expect(merge(merge(x, y), z)).toBe(all);
      expect(merge(x, merge(y, z))).toBe(all);
      expect(merge(z, x, y)).toBe(all);
      expect(merge(x, x)).toBe(x);
      expect(merge(all, y, all)).toBe(all);
    }),
    { numRuns: 50 },
  );
});

test('an hour with few users takes few bytes, and none takes more than its registers', () => {
  const bytes = (count: number) =>
    Buffer.from(encode(Array.from({ length: count }, (_, index) => `${index}`)), 'base64').length;
  expect([0, 1, 10].map(bytes)).toEqual([0, 6, 60]);
  expect(bytes(EXACT_USERS_MAX)).toBeLessThan(4096);
  expect([EXACT_USERS_MAX + 1, 10_000].map(bytes)).toEqual([4096, 4096]);
});

test('what is stored stays readable: the same user has the same hash for ever', () => {
  // printf user-1 | sha1sum | cut -c1-12 | xxd -r -p | base64
  expect(encode(['user-1'])).toBe('nf/+RQhS');
});
