import { toActivity } from './activity.ts';
import { DOCUMENT_BYTES_MAX, documentBytes } from './document-size.ts';
import { type SqlCalls } from './sql-calls.ts';
import { type Dialect, type SqlRow, type SqlValue } from './sql-dialect.ts';
import { rowBytes } from './sql-chunks.ts';
import { createInsert } from './sql-insert.ts';
import { isStorable, type Range, readRange } from './sql-page.ts';
import { activityColumns } from './sql-schema.ts';
import { type ListFilter, type Store, type StoredActivity } from './store.ts';

/** A document is at most so many times as large as the text of its JSON. */
const DOCUMENT_BYTES_PER_CHAR_MAX = 8;

/** The part of the store that keeps activities. */
export function createSqlActivities(
  dialect: Dialect,
  call: SqlCalls['call'],
  worker: string,
): Pick<Store, 'save' | 'list' | 'get'> {
  const { table, payload } = dialect.activities;
  const columns = Object.keys(activityColumns(payload));
  const select = `select ${columns.join(', ')} from ${table}`;

  const insertAll = createInsert(dialect, columns);

  return {
    async save(deliveries) {
      if (deliveries.length === 0) return [];
      const processedAt = new Date();
      const activities = deliveries.map((delivery) => toActivity(delivery, worker, processedAt));
      const rows = activities.map(toRow);
      const storable = rows.filter((row, index) => !isTooLarge(activities[index]!, row));
      const outcomes = await call((sql) => insertAll(sql, storable));
      return rows.map((row) => outcomes.get(row) ?? { status: 'rejected', error: 'the event is too large' });
    },

    list: (filter) =>
      call(async ({ run }) => (await readRange(dialect, run, activityRange(dialect, filter))).map(toStored)),

    get: (eventId) =>
      call(async ({ run }) => {
        if (!isStorable(eventId)) return null;
        const { rows } = await run(`${select} where event_id = ?`, [eventId]);
        return rows[0] ? toStored(rows[0]) : null;
      }),
  };

  function toStored(row: SqlRow): StoredActivity {
    return {
      eventId: row.event_id as string,
      userId: row.user_id as string,
      eventType: row.event_type as string,
      timestamp: row.timestamp as Date,
      payload: JSON.parse(row[payload] as string) as Record<string, unknown>,
      source: row.source as string,
      processing: {
        receivedAt: row.received_at as Date,
        processedAt: row.processed_at as Date,
        attempts: Number(row.attempts),
        redelivered: Boolean(row.redelivered),
        worker: row.worker as string,
        requestId: row.request_id as string | null,
        ip: row.ip as string | null,
        userAgent: row.user_agent as string | null,
      },
    };
  }
}

/** In the order of the columns. */
function toRow({
  eventId,
  userId,
  eventType,
  timestamp,
  payload,
  source,
  processing,
}: StoredActivity): SqlValue[] {
  const { receivedAt, processedAt, attempts, redelivered, worker, requestId, ip, userAgent } = processing;
  const event = [eventId, userId, eventType, timestamp, JSON.stringify(payload), source];
  return [...event, receivedAt, processedAt, attempts, redelivered, worker, requestId, ip, userAgent];
}

function isTooLarge(activity: StoredActivity, row: SqlValue[]): boolean {
  return (
    rowBytes(row) * DOCUMENT_BYTES_PER_CHAR_MAX >= DOCUMENT_BYTES_MAX &&
    documentBytes({ _id: activity.eventId, ...activity }) >= DOCUMENT_BYTES_MAX
  );
}

/** The range of a list of activities, and its order. */
export function activityRange({ activities }: Dialect, filter: ListFilter): Range {
  const { userId, eventType, from, to, after, limit } = filter;
  const same = {
    ...(userId !== undefined && { user_id: userId }),
    ...(eventType !== undefined && { event_type: eventType }),
  };
  const indexes = {
    '': 'by_time',
    user_id: 'by_user',
    event_type: 'by_type',
    'user_id,event_type': 'by_user_and_type',
  };
  return {
    columns: Object.keys(activityColumns(activities.payload)),
    table: activities.table,
    index: indexes[Object.keys(same).join() as keyof typeof indexes],
    ...{ same, time: 'timestamp', id: 'event_id', from, to, limit },
    after: after && { at: after.timestamp, id: after.eventId },
  };
}
