import fc from 'fast-check';
import { BYTES_MAX, MESSAGES_MAX, RecentMessages } from '../queue/recent.ts';

/** A body of so many bytes that tells its number. */
function aBody(number: number, length: number): Buffer {
  const body = Buffer.alloc(Math.max(length, 4), number % 251);
  body.writeUInt32LE(number);
  return body;
}

test('what was added last is taken, in its order, once', () => {
  const recent = new RecentMessages();
  for (const text of ['a', 'bc', 'd']) recent.add(Buffer.from(text));
  expect(recent.take().map(String)).toEqual(['a', 'bc', 'd']);
  expect(recent.take()).toEqual([]);
});

test('what was taken stays as it was, whatever is added behind it', () => {
  const recent = new RecentMessages();
  recent.add(aBody(1, 1000));
  const taken = recent.take();
  for (let added = 0; added < 2 * BYTES_MAX; added += 100_000) recent.add(aBody(2, 100_000));
  expect(taken).toEqual([aBody(1, 1000)]);
});

test('of many small messages the last thousand are kept', () => {
  const recent = new RecentMessages();
  for (let number = 0; number < 3 * MESSAGES_MAX + 7; number += 1) recent.add(aBody(number, 4));
  expect(recent.take().map((body) => body.readUInt32LE())).toEqual(
    Array.from({ length: MESSAGES_MAX }, (_, index) => 2 * MESSAGES_MAX + 7 + index),
  );
});

test('a message that is larger than all room is not kept, and costs no others', () => {
  const recent = new RecentMessages();
  recent.add(aBody(1, 100));
  recent.add(aBody(2, BYTES_MAX + 1));
  expect(recent.take()).toEqual([aBody(1, 100)]);
  recent.add(aBody(3, BYTES_MAX));
  expect(recent.take().map((body) => body.equals(aBody(3, BYTES_MAX)))).toEqual([true]);
});

test('of any messages the last ones are kept, whole, for half of the room at the least', () => {
  const lengths = fc.array(fc.integer({ min: 4, max: BYTES_MAX / 2 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(lengths, (all) => {
      const recent = new RecentMessages();
      const bodies = all.map((length, number) => aBody(number, length));
      for (const body of bodies) recent.add(body);
      const taken = recent.take();
      expect(Buffer.concat(taken).equals(Buffer.concat(bodies.slice(-taken.length)))).toBe(true);
      const next = bodies.at(-taken.length - 1);
      const bytes = Buffer.concat(next ? [next, ...taken] : taken).length;
      if (next) expect(bytes).toBeGreaterThan(BYTES_MAX / 2);
    }),
    { numRuns: 50 },
  );
});
