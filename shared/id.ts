import { randomFillSync } from 'node:crypto';
import { V7Generator } from 'uuidv7';

// Left to itself the generator asks for 32 random bytes at a time, which takes longer than all the rest of an id.
const pool = new Uint32Array(1024);
let used = pool.length;

const generator = new V7Generator({
  nextUint32() {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    return pool[used++]!;
  },
});

const DIGITS = Buffer.from('0123456789abcdef');
/** Where the two digits of each byte stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const text = Buffer.alloc(36, '-');

/** A new UUIDv7 (RFC 9562, section 5.7): ids in order of time keep new documents together in the store's index. */
export function createId(): string {
  const { bytes } = generator.generate();
  // Its own `toString` makes a string for each digit, 1 KB in all and half of the time of an id.
  for (let index = 0; index < 16; index += 1) {
    const byte = bytes[index]!;
    const place = PLACES[index]!;
    text[place] = DIGITS[byte >> 4]!;
    text[place + 1] = DIGITS[byte & 15]!;
  }
  return text.toString('latin1');
}
