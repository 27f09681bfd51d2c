import { type Dialect, type RunSql, type SqlRow, type SqlValue } from './sql-dialect.ts';

/** What every store can hold, see `parseTimestamp`. */
export const TIME_MIN = new Date('1000-01-01T00:00:00.000Z');
export const TIME_MAX = new Date('9999-12-31T23:59:59.999Z');

/** A page of rows in the order newest first, ids breaking ties. */
export interface Range {
  columns: readonly string[];
  table: string;
  index: string;
  /** Columns with the value that they have to have. */
  same: Readonly<Record<string, SqlValue>>;
  time: string;
  id: string;
  from: Date | undefined;
  to: Date | undefined;
  after: { at: Date; id: string } | undefined;
  limit: number;
}

/**
 * Reads a page. Behind a position it takes two statements, each one range of one index: what is left of that moment,
 * and what is older. A page then costs the same wherever it begins; MySQL reads no range for `(a, b) < (?, ?)`.
 */
export async function readRange(dialect: Dialect, run: RunSql, asked: Range): Promise<SqlRow[]> {
  const { after, from, to } = asked;
  // A position is whatever a client says. Databases refuse a time that they could not hold.
  if (after && after.at < TIME_MIN) return [];
  const isBounded = after && after.at <= TIME_MAX;
  const range = {
    ...asked,
    after: isBounded ? after : undefined,
    from: from && from < TIME_MIN ? undefined : from,
    to: to && to > TIME_MAX ? undefined : to,
  };
  if (![...Object.values(range.same), range.after?.id].every(isStorable)) return [];
  const rows: SqlRow[] = [];
  for (const { sql, values } of statements(dialect, range)) {
    if (rows.length < range.limit)
      rows.push(...(await run(sql, [...values, range.limit - rows.length])).rows);
  }
  return rows;
}

/** PostgreSQL refuses to look for a text with NUL, which no event has. */
export function isStorable(value: unknown): boolean {
  return typeof value !== 'string' || !value.includes('\0');
}

/** The statements of a page, each without its last value, which is how many rows are still wanted. */
export function statements(
  dialect: Dialect,
  { columns, table, index, same, id, from, to, after, ...rest }: Range,
) {
  const range = dialect.range(table, index, rest.time);
  const { time } = range;
  const order = `order by ${time} desc, ${id} desc limit ?`;
  const statement = (...conditions: [string, SqlValue][]) => {
    const where = conditions.map(([condition]) => condition).join(' and ');
    const values = conditions.map(([, value]) => value);
    return {
      sql: `select ${columns.join(', ')} from ${range.from} ${where && `where ${where} `}${order}`,
      values,
    };
  };
  const always: [string, SqlValue][] = Object.entries(same).map(([column, value]) => [
    `${column} = ?`,
    value,
  ]);
  if (from) always.push([`${time} >= ?`, from]);
  const before: [string, SqlValue][] = to ? [[`${time} < ?`, to]] : [];
  if (!after) return [statement(...always, ...before)];
  return [
    statement(...always, ...before, [`${time} = ?`, after.at], [`${id} < ?`, after.id]),
    statement(...always, [`${time} < ?`, to && to < after.at ? to : after.at]),
  ];
}
