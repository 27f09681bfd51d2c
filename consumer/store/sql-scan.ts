import { activityRange } from './sql-activities.ts';
import { type SqlCalls } from './sql-calls.ts';
import { type Dialect, type RunSql, type SqlRow } from './sql-dialect.ts';
import { readRange } from './sql-page.ts';
import { readPage, shortPayload } from './sql-payload.ts';
import { type CountedActivity, type HourStore } from './store.ts';

/** The part of the store that reads activities for counting. */
export function createSqlScan(dialect: Dialect, call: SqlCalls['call']): Pick<HourStore, 'scan'> {
  const { table, payload } = dialect.activities;
  const columns = ['event_id', 'timestamp', 'user_id', 'event_type', shortPayload(dialect)];

  /** What is too long to be read with the others is read by itself. */
  async function payloadOf(run: RunSql, row: SqlRow): Promise<string | null> {
    if (row.payload !== null) return row.payload as string;
    const sql = `select ${payload} as payload from ${table} where event_id = ?`;
    const { rows } = await run(sql, [row.event_id as string]);
    return (rows[0]?.payload as string | undefined) ?? null;
  }

  return {
    scan: (filter) =>
      call(async ({ run }) => {
        const range = { ...activityRange(dialect, filter), columns };
        const counted: CountedActivity[] = [];
        for (const row of await readRange(dialect, run, range)) {
          counted.push({
            eventId: row.event_id as string,
            timestamp: row.timestamp as Date,
            userId: row.user_id as string,
            eventType: row.event_type as string,
            page: readPage(await payloadOf(run, row)),
          });
        }
        return counted;
      }),
  };
}
