import { cutBody, LETTER_BODY_BYTES_MAX } from './letter-body.ts';
import { type SqlCalls } from './sql-calls.ts';
import { chunks } from './sql-chunks.ts';
import { type Dialect, placeholders, type SqlRow, type SqlValue } from './sql-dialect.ts';
import { isStorable, type Range, readRange } from './sql-page.ts';
import { deadLetterColumns } from './sql-schema.ts';
import {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterHead,
  type DeadLetterStore,
} from './store.ts';

const columns = Object.keys(deadLetterColumns);
const headColumns = columns.filter((column) => column !== 'body');
/** What a statement carries beside the body of a letter. */
const REST_BYTES_MAX = 512 * 1024;

/** The part of the store that keeps dead letters. */
export function createSqlDeadLetters(dialect: Dialect, call: SqlCalls['call']): DeadLetterStore {
  const replace = dialect.onConflict((inserted) =>
    columns.map((column) => `${column} = ${inserted(column)}`).join(', '),
  );

  return {
    async recordDead(letters) {
      if (letters.length === 0) return;
      await call(async (sql) => {
        const bodyBytesMax = Math.min(LETTER_BODY_BYTES_MAX, sql.valueBytesMax - REST_BYTES_MAX);
        // Of one id the last; in one order, so that workers do not wait for each other in a circle.
        const latest = new Map(letters.map((letter) => [letter.id, letter]));
        const rows = [...latest.keys()].sort().map((id) => toRow(cutBody(latest.get(id)!, bodyBytesMax)));
        for (const chunk of chunks(rows)) {
          const values = placeholders(chunk.length, columns.length);
          await sql.run(
            `insert into dead_letters (${columns.join(', ')}) values ${values} ${replace}`,
            chunk.flat(),
          );
        }
      });
    },

    listDead: (filter) =>
      call(async ({ run }) => (await readRange(dialect, run, deadLetterRange(filter))).map(toHead)),

    getDead: (id) =>
      call(async ({ run }) => {
        if (!isStorable(id)) return null;
        const { rows } = await run(`select ${columns.join(', ')} from dead_letters where id = ?`, [id]);
        return rows[0] ? { ...toHead(rows[0]), body: rows[0].body as Buffer } : null;
      }),

    deleteDead: (dead) =>
      call(async ({ run }) => {
        let deleted = 0;
        for (const some of chunks(dead.map(({ id, diedAt }) => [id, diedAt]))) {
          const sql = `delete from dead_letters where (id, died_at) in (${placeholders(some.length, 2)})`;
          deleted += (await run(sql, some.flat())).affected;
        }
        return deleted;
      }),
  };
}

/** In the order of the columns. */
function toRow({
  id,
  reason,
  error,
  details,
  body,
  eventId,
  eventType,
  attempts,
  diedAt,
  worker,
}: DeadLetter): SqlValue[] {
  return [id, reason, error, JSON.stringify(details), body, eventId, eventType, attempts, diedAt, worker];
}

function toHead(row: SqlRow): DeadLetterHead {
  return {
    id: row.id as string,
    reason: row.reason as DeadLetter['reason'],
    error: row.error as string,
    details: JSON.parse(row.details as string) as DeadLetter['details'],
    eventId: row.event_id as string | null,
    eventType: row.event_type as string | null,
    attempts: Number(row.attempts),
    diedAt: row.died_at as Date,
    worker: row.worker as string,
  };
}

/** The range of a list of dead letters, and its order. Of both filters the index serves the type. */
export function deadLetterRange({ reason, eventType, from, to, after, limit }: DeadLetterFilter): Range {
  const byType = eventType !== undefined && { event_type: eventType };
  const byReason = reason !== undefined && { reason };
  return {
    columns: headColumns,
    table: 'dead_letters',
    index: byType ? 'by_type' : byReason ? 'by_reason' : 'by_time',
    ...{ same: { ...byType, ...byReason }, time: 'died_at', id: 'id', from, to, limit },
    after: after && { at: after.diedAt, id: after.id },
  };
}
