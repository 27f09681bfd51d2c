/** A MongoDB document is smaller than this, and what one store takes every store takes: the rule holds for all of them. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

/** The size of a value as a BSON document: the measure by which MongoDB takes or refuses it. */
export function documentBytes(document: object): number {
  let bytes = 5;
  for (const [name, value] of Object.entries(document))
    bytes += 2 + Buffer.byteLength(name) + valueBytes(value);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (typeof value === 'number') return isInt32(value) ? 4 : 8;
  if (typeof value === 'boolean') return 1;
  if (value === null) return 0;
  return value instanceof Date ? 8 : documentBytes(value as object);
}

/** Minus zero is none. */
function isInt32(value: number): boolean {
  return Object.is(value | 0, value);
}
