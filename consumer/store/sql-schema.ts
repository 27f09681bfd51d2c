import { ConfigurationError } from '@event-tracker/shared/errors';
import { type Sql } from './sql-calls.ts';
import { type ColumnKind, type Dialect } from './sql-dialect.ts';

export type Columns = Readonly<Record<string, ColumnKind>>;

export const activityColumns = (payload: string) =>
  ({
    event_id: 'key',
    user_id: 'key',
    event_type: 'key',
    timestamp: 'time',
    [payload]: 'json',
    source: 'text',
    received_at: 'time',
    processed_at: 'time',
    attempts: 'number',
    redelivered: 'flag',
    worker: 'text',
    request_id: 'text',
    ip: 'text',
    user_agent: 'text',
  }) satisfies Columns;

export const deadLetterColumns = {
  id: 'key',
  reason: 'key',
  error: 'text',
  details: 'json',
  body: 'bytes',
  event_id: 'key',
  event_type: 'key',
  attempts: 'number',
  died_at: 'time',
  worker: 'text',
} as const satisfies Columns;

export const attemptColumns = {
  id: 'key',
  attempts: 'number',
  counted_at: 'time',
} as const satisfies Columns;

export const processColumns = {
  id: 'key',
  ended: 'flag',
  reported_at: 'time',
  report: 'json',
} as const satisfies Columns;

export const hourColumns = {
  hour: 'time',
  is_dirty: 'flag',
  dirty_until: 'time',
  due_at: 'time',
  counted_at: 'time',
  counts: 'json',
} as const satisfies Columns;

/** Says which migrations the tables have behind them. */
const VERSION_TABLE = 'event_tracker_schema';

/**
 * Creates the tables or brings older ones up to date, one worker at a time. A step that broke off is repeated by the next
 * start. Rejects with ConfigurationError for tables that are not ours.
 */
export async function migrate(dialect: Dialect, { run }: Sql, timeoutMs: number): Promise<void> {
  await dialect.lock(run, timeoutMs);
  const version = await readVersion(dialect, run);
  const steps = await dialect.migrations(run);
  if (version > steps.length) {
    throw refusal(
      `the tables are of version ${version}, made by a newer release that knows more than version ${steps.length}`,
    );
  }
  try {
    for (const statement of steps.slice(version).flat()) await run(statement);
  } catch (error) {
    // It may have met a table of somebody else, which is then the better explanation.
    if (dialect.faultOf(error) === 'misconfigured') await checkTables(dialect, run, false);
    throw error;
  }
  await checkTables(dialect, run, true);
  if (version < steps.length) await run(`insert into ${VERSION_TABLE} (version) values (?)`, [steps.length]);
  await dialect.unlock(run);
}

/** 0 before the first migration. A user who may only read and write needs tables that are up to date, and no more rights. */
async function readVersion(dialect: Dialect, run: Sql['run']): Promise<number> {
  const columns = await columnTypes(dialect, run, VERSION_TABLE);
  if (columns.size === 0) await run(`create table ${VERSION_TABLE} (version integer not null primary key)`);
  const { rows } = await run(`select max(version) as version from ${VERSION_TABLE}`);
  return Number(rows[0]?.version ?? 0);
}

/** Rejects when one of the tables is not as this program makes it; one that is not there is a fault when `complete`. */
async function checkTables(dialect: Dialect, run: Sql['run'], complete: boolean): Promise<void> {
  const { table, payload } = dialect.activities;
  const tables: Record<string, { columns: Columns; key: string }> = {
    [table]: { columns: activityColumns(payload), key: 'event_id' },
    dead_letters: { columns: deadLetterColumns, key: 'id' },
    delivery_attempts: { columns: attemptColumns, key: 'id' },
    processes: { columns: processColumns, key: 'id' },
    activity_hours: { columns: hourColumns, key: 'hour' },
  };
  for (const [name, { columns, key }] of Object.entries(tables)) {
    const types = await columnTypes(dialect, run, name);
    if (types.size === 0 && !complete) continue;
    const faults = Object.entries(columns)
      .filter(([column, kind]) => types.get(column) !== dialect.types[kind])
      .map(
        ([column, kind]) =>
          `${column} is ${types.get(column) ?? 'missing'} instead of ${dialect.types[kind]}`,
      );
    if (!(await uniqueColumns(dialect, run, name)).includes(key)) faults.push(`${key} is not unique`);
    if (faults.length > 0) {
      throw refusal(`the table ${name} has another shape (${faults.slice(0, 3).join(', ')}); rename it`);
    }
  }
}

/** The types of the columns of a table, by name; empty where there is none. */
async function columnTypes(dialect: Dialect, run: Sql['run'], table: string): Promise<Map<string, string>> {
  const { rows } = await run(
    `select column_name as name, data_type as type from information_schema.columns
     where table_schema = ${dialect.currentSchema} and table_name = ?`,
    [table],
  );
  return new Map(rows.map((row) => [String(row.name), String(row.type)]));
}

/** The columns that are unique by themselves. */
async function uniqueColumns(dialect: Dialect, run: Sql['run'], table: string): Promise<string[]> {
  const { rows } = await run(
    `select max(k.column_name) as name
     from information_schema.table_constraints t join information_schema.key_column_usage k
       on k.constraint_name = t.constraint_name and k.table_schema = t.table_schema and k.table_name = t.table_name
     where t.constraint_type in ('PRIMARY KEY', 'UNIQUE') and t.table_schema = ${dialect.currentSchema} and t.table_name = ?
     group by t.constraint_name having count(*) = 1`,
    [table],
  );
  return rows.map((row) => String(row.name));
}

function refusal(fault: string): ConfigurationError {
  return new ConfigurationError(`STORE_URL or DATABASE_URL: ${fault}, or name another database`);
}
