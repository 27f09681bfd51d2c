import fc from 'fast-check';
import { createId, createIds } from '../id.ts';

// RFC 9562, section 5.7: version 7, variant 10.
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('each id is a UUIDv7 and greater than those before it, whether it is made alone or with others', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 20 }), (counts) => {
      const ids = counts.flatMap((count) => (count === 0 ? [createId()] : createIds(count).items));
      for (const id of ids) expect(id).toMatch(UUID_V7);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(ids.toSorted());
    }),
  );
});

test.each([1, 2, 2500])('%i ids are also a JSON array of them', (count) => {
  const { items, json } = createIds(count);
  expect(items).toHaveLength(count);
  expect(JSON.parse(json)).toEqual(items);
});

test('the time of an id is that of its making', () => {
  const before = Date.now();
  const [id = ''] = createIds(1).items;
  const time = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  // The generator runs ahead of a clock that stands still, by no more than it has ids to give.
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Date.now() + 1000);
});
