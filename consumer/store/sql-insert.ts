import { messageOf, type Sql } from './sql-calls.ts';
import { chunks } from './sql-chunks.ts';
import { type Dialect, type SqlValue } from './sql-dialect.ts';
import { type SaveOutcome } from './store.ts';

/** Inserts rows that begin with their id, in few statements; resolves to the outcome of each row. */
export function createInsert(dialect: Dialect, columns: readonly string[]) {
  /** Takes rows of different ids. A statement that is refused for a row that nobody names is tried by halves. */
  async function insertEach(sql: Sql, rows: SqlValue[][]): Promise<SaveOutcome[]> {
    try {
      return await dialect.insertActivities(sql.run, columns, rows);
    } catch (error) {
      if (dialect.faultOf(error) !== 'rejected') throw error;
      if (rows.length === 1) return [{ status: 'rejected', error: messageOf(error) }];
      const half = rows.length >> 1;
      const first = await insertEach(sql, rows.slice(0, half));
      return [...first, ...(await insertEach(sql, rows.slice(half)))];
    }
  }

  return async function insertAll(sql: Sql, rows: SqlValue[][]): Promise<Map<SqlValue[], SaveOutcome>> {
    const outcomes = new Map<SqlValue[], SaveOutcome>();
    const firsts = [...new Map(rows.toReversed().map((row) => [row[0], row])).values()];
    // Workers that save the same events take their rows in the same order, so that none waits for another in a circle.
    firsts.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
    for (const chunk of chunks(firsts)) {
      const inserted = await insertEach(sql, chunk);
      chunk.forEach((row, index) => outcomes.set(row, inserted[index]!));
    }
    // Of an id that comes twice the first counts, or the next one where that was rejected.
    const rejected = new Set(
      firsts.filter((row) => outcomes.get(row)?.status === 'rejected').map(([id]) => id),
    );
    const later = rows.filter((row) => !outcomes.has(row));
    for (const row of later) if (!rejected.has(row[0])) outcomes.set(row, { status: 'duplicate' });
    const rest = later.filter((row) => rejected.has(row[0]));
    if (rest.length > 0) for (const entry of await insertAll(sql, rest)) outcomes.set(...entry);
    return outcomes;
  };
}
