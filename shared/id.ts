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

/** The two digits of each byte, as they stand in memory. */
const DIGITS = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(Buffer.from([byte]).toString('hex')).readUInt16BE(),
);
/** Where the two digits of each byte stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const LENGTH = 36;
/** What repeats in a JSON array of ids, from the comma before one on. */
const ITEM = `,"${'-'.repeat(LENGTH)}"`;
const single = Buffer.alloc(LENGTH, '-');
const singleView = viewOf(single);

/** A new UUIDv7 (RFC 9562, section 5.7): ids in order of time keep new documents together in the store's index. */
export function createId(): string {
  writeId(singleView, 0);
  return single.toString('latin1');
}

/** Strings, and the JSON array of them. */
export interface JsonList {
  items: readonly string[];
  json: string;
}

/** So many new ids, one or more. The text is made once; each id is a part of it. */
export function createIds(count: number): JsonList {
  if (count === 1) {
    const id = createId();
    return { items: [id], json: `["${id}"]` };
  }
  const json = Buffer.alloc(count * ITEM.length + 1, ITEM);
  json[0] = '['.charCodeAt(0);
  json[json.length - 1] = ']'.charCodeAt(0);
  const view = viewOf(json);
  for (let at = 2; at < json.length; at += ITEM.length) writeId(view, at);
  const text = json.toString('latin1');
  const items: string[] = [];
  for (let at = 2; at < text.length; at += ITEM.length) items.push(text.slice(at, at + LENGTH));
  return { items, json: text };
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function writeId(text: DataView, at: number): void {
  const { bytes } = generator.generate();
  // Its own `toString` makes a string for each digit, 1 KB in all and half of the time of an id.
  for (let index = 0; index < 16; index += 1) text.setUint16(at + PLACES[index]!, DIGITS[bytes[index]!]!);
}
