import { type SaveOutcome } from './store.ts';

export type SqlValue = string | number | boolean | Date | Buffer | null;
export type SqlRow = Record<string, unknown>;

/** Runs one statement with a `?` for each value; `affected` counts the rows that it found, changed or not. */
export type RunSql = (
  sql: string,
  values?: readonly SqlValue[],
) => Promise<{ rows: SqlRow[]; affected: number }>;

/** A connection that one call has to itself. */
export interface SqlConnection {
  run: RunSql;
  /** The most bytes that one statement carries. */
  valueBytesMax: number;
  release: () => void;
  /** Closes it at once, whatever runs on it. */
  destroy: () => void;
}

/** At most so many connections are open to the database at a time. */
export const CONNECTIONS_MAX = 10;
export const DEFAULT_DATABASE = 'activity_db';

/** Connections that are ready for use, with durable commits, strict values and times in UTC. */
export interface SqlPool {
  connect(): Promise<SqlConnection>;
  close(): Promise<void>;
}

/**
 * What a failed statement means.
 * - `conflict`: others were in the way; the same statement may succeed at once.
 * - `rejected`: this row, or one of these rows, cannot be stored, however often it is tried.
 * - `unavailable`: the database cannot do it now; the same call may succeed later.
 * - `misconfigured`: the database refuses this client, or its tables are not ours; people must act.
 * - `unexpected`: a fault of this program.
 */
export type SqlFault = 'conflict' | 'rejected' | 'unavailable' | 'misconfigured' | 'unexpected';

/** What a column holds; a `key` can be indexed and compares byte by byte. */
export type ColumnKind = 'key' | 'text' | 'json' | 'time' | 'number' | 'flag' | 'bytes';

/** Where the databases differ. */
export interface Dialect {
  name: 'PostgreSQL' | 'MySQL';
  /** The table of the activities, its column for the payload, and the length of that as an expression. */
  activities: { table: string; payload: string; payloadBytes: string };
  open: (url: string, timeoutMs: number) => SqlPool;
  faultOf: (error: unknown) => SqlFault;
  /** The name that information_schema has for the type of such a column. */
  types: Record<ColumnKind, string>;
  /** The schema or database that unqualified names mean, as an expression. */
  currentSchema: string;
  /** Waits for the lock that lets one worker at a time migrate, and checks that the server is one for us. */
  lock(run: RunSql, timeoutMs: number): Promise<void>;
  unlock(run: RunSql): Promise<void>;
  /** The steps from one version of the tables to the next; harmless when repeated. */
  migrations(run: RunSql): Promise<string[][]>;
  /**
   * How a list names a table and its order in time so that it is read from this index: left to themselves both databases
   * may read the newest of all rows until enough of them match.
   */
  range(table: string, index: string, time: string): { from: string; time: string };
  /** Inserts rows in one statement, all or none, and tells of each whether its event id was new. */
  insertActivities(
    run: RunSql,
    columns: readonly string[],
    rows: readonly SqlValue[][],
  ): Promise<SaveOutcome[]>;
  /** What follows an INSERT so that a row of this key is updated instead; `inserted(column)` is the new value. */
  onConflict(update: (inserted: (column: string) => string) => string, key?: string): string;
}

/** `(?, ?), (?, ?)` for so many rows and columns. */
export function placeholders(rows: number, columns: number): string {
  const row = `(${Array<string>(columns).fill('?').join(', ')})`;
  return Array<string>(rows).fill(row).join(', ');
}
