import { type SqlValue } from './sql-dialect.ts';

/** One statement carries at most so many rows: of columns times rows, databases count with sixteen bits. */
const CHUNK_ROWS_MAX = 1000;
/** And so much, as long as it is more than one row. */
const CHUNK_BYTES_MAX = 4 * 1024 * 1024;

/** Splits rows into what one statement carries. */
export function* chunks(rows: readonly SqlValue[][]): Generator<SqlValue[][]> {
  let chunk: SqlValue[][] = [];
  let bytes = 0;
  for (const row of rows) {
    const more = rowBytes(row);
    if (chunk.length === CHUNK_ROWS_MAX || (chunk.length > 0 && bytes + more > CHUNK_BYTES_MAX)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(row);
    bytes += more;
  }
  if (chunk.length > 0) yield chunk;
}

/** Its texts and bytes, roughly. */
export function rowBytes(row: readonly SqlValue[]): number {
  return row.reduce<number>(
    (sum, value) => sum + (typeof value === 'string' || Buffer.isBuffer(value) ? value.length : 8),
    0,
  );
}
