import { pageOf } from './activity.ts';
import { activityRange } from './sql-activities.ts';
import { type SqlCalls } from './sql-calls.ts';
import { type Dialect, type RunSql, type SqlRow } from './sql-dialect.ts';
import { readRange } from './sql-page.ts';
import { type CountedActivity, type HourStore } from './store.ts';

/** A longer payload is read by itself, so that a page of them does not fill the memory. */
const PAYLOAD_BYTES_MAX = 16 * 1024;

/** The part of the store that reads activities for counting. */
export function createSqlScan(dialect: Dialect, call: SqlCalls['call']): Pick<HourStore, 'scan'> {
  const { table, payload } = dialect.activities;
  // Of the two functions that both databases have, `octet_length` takes text only.
  const shortPayload = `case when octet_length(concat(${payload}, '')) <= ${PAYLOAD_BYTES_MAX} then ${payload} end as payload`;
  const columns = ['event_id', 'timestamp', 'user_id', 'event_type', shortPayload];

  async function payloadOf(run: RunSql, row: SqlRow): Promise<string> {
    if (row.payload !== null) return row.payload as string;
    const sql = `select ${payload} as payload from ${table} where event_id = ?`;
    const { rows } = await run(sql, [row.event_id as string]);
    return (rows[0]?.payload as string | undefined) ?? '{}';
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
            page: pageOf(JSON.parse(await payloadOf(run, row)) as Record<string, unknown>),
          });
        }
        return counted;
      }),
  };
}
