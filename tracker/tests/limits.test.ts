import fc from 'fast-check';
import { byteLength, type Entry, RETRY_AFTER_MAX_MS, retryDelayMs, takeChunk } from '../src/limits.ts';

const entry = (json: string, key = json): Entry => [key, json];

test.each([
  ['nothing', [], 10, []],
  ['all that fits, each with its comma', ['1234', '1234'], 10, ['1234', '1234']],
  ['no more', ['1234', '1234', '1'], 10, ['1234', '1234']],
  ['not what is one byte too long', ['1234567890'], 10, []],
  ['what fits beside something that does not', ['1', '12345678901', '2'], 10, ['1', '2']],
  ['characters by their bytes', ['“”', '1'], 7, ['“”']],
])('a chunk takes %s', (_what, texts, bytesMax, taken) => {
  expect(
    takeChunk(
      texts.map((text) => entry(text)),
      bytesMax,
    ),
  ).toEqual(taken.map((text) => entry(text)));
});

test('a chunk never holds more than it may, and keeps the order', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), fc.nat(200), (texts, bytesMax) => {
      const entries = texts.map((text, index) => entry(text, String(index)));
      const chunk = takeChunk(entries, bytesMax);
      expect(chunk.reduce((bytes, [, json]) => bytes + byteLength(json) + 1, 0)).toBeLessThanOrEqual(
        bytesMax,
      );
      expect(entries.filter((one) => chunk.includes(one))).toEqual(chunk);
    }),
  );
});

const least = () => 0;
const most = () => 1;

test.each([
  ['the first failure', 1, null, 500, 1000],
  ['the fourth', 4, null, 4000, 8000],
  ['very many', 2000, null, 150_000, 300_000],
  ['a server that asks for a minute', 1, '60', 60_000, 61_000],
  ['a server that asks for less than the failures are worth', 9, '1', 128_000, 256_000],
  ['a server that asks for a year', 1, '31536000', RETRY_AFTER_MAX_MS, RETRY_AFTER_MAX_MS + 1000],
  ['a server that names a date', 1, 'Fri, 31 Dec 2027 23:59:59 GMT', 500, 1000],
  ['a server that asks for less than nothing', 1, '-5', 500, 1000],
])('the wait after %s', (_what, failures, retryAfter, shortestMs, longestMs) => {
  expect(retryDelayMs(failures, retryAfter, least)).toBe(shortestMs);
  expect(retryDelayMs(failures, retryAfter, most)).toBe(longestMs);
});
