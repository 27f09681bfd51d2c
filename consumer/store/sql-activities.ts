import { toActivity } from './activity.ts';
import { DOCUMENT_BYTES_MAX, documentBytes } from './document-size.ts';
import { messageOf, type Sql, type SqlCalls } from './sql-calls.ts';
import { type Dialect, type SqlRow, type SqlValue } from './sql-dialect.ts';
import { chunks, rowBytes } from './sql-chunks.ts';
import { readRange } from './sql-page.ts';
import { activityColumns } from './sql-schema.ts';
import { type ListFilter, type SaveOutcome, type Store, type StoredActivity } from './store.ts';

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

  /** Inserts rows of different ids. A statement that is refused for a row that nobody names is tried by halves. */
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

  /** The outcome of each row; of an id that comes twice, the first that is stored makes the others duplicates. */
  async function insertAll(sql: Sql, rows: SqlValue[][]): Promise<Map<SqlValue[], SaveOutcome>> {
    const outcomes = new Map<SqlValue[], SaveOutcome>();
    const firsts = [...new Map([...rows].reverse().map((row) => [row[0], row])).values()];
    // Workers that save the same events take their rows in the same order, so that none waits for another in a circle.
    firsts.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
    for (const chunk of chunks(firsts)) {
      const chunkOutcomes = await insertEach(sql, chunk);
      chunk.forEach((row, index) => outcomes.set(row, chunkOutcomes[index]!));
    }
    const kept = new Set(firsts.filter((row) => outcomes.get(row)?.status !== 'rejected').map(([id]) => id));
    const later = rows.filter((row) => !outcomes.has(row));
    for (const row of later) if (kept.has(row[0]!)) outcomes.set(row, { status: 'duplicate' });
    const rest = later.filter((row) => !outcomes.has(row));
    if (rest.length > 0) for (const entry of await insertAll(sql, rest)) outcomes.set(...entry);
    return outcomes;
  }

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
      call(async ({ run }) => (await readRange(run, activityRange(select, filter))).map(toStored)),

    get: (eventId) =>
      call(async ({ run }) => {
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
export function activityRange(select: string, filter: ListFilter) {
  const { userId, eventType, from, to, after, limit } = filter;
  const same = {
    ...(userId !== undefined && { user_id: userId }),
    ...(eventType !== undefined && { event_type: eventType }),
  };
  const position = after && { at: after.timestamp, id: after.eventId };
  return { select, same, time: 'timestamp', id: 'event_id', from, to, after: position, limit };
}
