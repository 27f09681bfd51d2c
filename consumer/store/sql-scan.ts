import { activityRange } from './sql-activities.ts';
import { type SqlCalls } from './sql-calls.ts';
import { type Dialect, type RunSql, type SqlRow } from './sql-dialect.ts';
import { readRange } from './sql-page.ts';
import { readPage, shortPayload } from './sql-payload.ts';
import { type CountedPage, type HourStore } from './store.ts';

/** Rows come with their payloads, up to `PAYLOAD_BYTES_MAX` of each. */
const SCAN_ROWS_MAX = 1000;

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
        const limit = Math.min(filter.limit, SCAN_ROWS_MAX);
        const rows = await readRange(dialect, run, {
          ...activityRange(dialect, { ...filter, limit }),
          columns,
        });
        const counted: CountedPage = { eventTypes: [], userIds: [], pages: [], next: null };
        for (const row of rows) {
          counted.eventTypes.push(row.event_type as string);
          counted.userIds.push(row.user_id as string);
          const page = readPage(await payloadOf(run, row));
          if (page !== null) counted.pages.push(page);
        }
        const last = rows[limit - 1];
        if (last) counted.next = { timestamp: last.timestamp as Date, eventId: last.event_id as string };
        return counted;
      }),
  };
}
