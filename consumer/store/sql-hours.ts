import { type SqlCalls } from './sql-calls.ts';
import { chunks } from './sql-chunks.ts';
import { type Dialect } from './sql-dialect.ts';
import { TIME_MAX, TIME_MIN } from './sql-page.ts';
import { CLAIM_MS, type HourCounts, type HourStore, MARK_MS, RECOUNT_MS } from './store.ts';

const NOW = 'current_timestamp(3)';
const fromNow = (ms: number) => `${NOW} + interval '${ms / 1000}' second`;

/** The part of the store that keeps what is counted by hour. */
export function createSqlHours(dialect: Dialect, call: SqlCalls['call']): Omit<HourStore, 'scan'> {
  const markAgain = dialect.onConflict(
    (inserted) =>
      `is_dirty = true, dirty_until = greatest(activity_hours.dirty_until, ${inserted('dirty_until')})`,
    'hour',
  );

  return {
    markHours: (hours, forMs = MARK_MS) =>
      call(async ({ run }) => {
        // In one order, so that workers do not wait for each other in a circle.
        const sorted = hours.toSorted((a, b) => a.getTime() - b.getTime());
        for (const rows of chunks(sorted.map((hour) => [hour]))) {
          const values = rows.map(() => `(?, true, ${fromNow(forMs)}, ${NOW})`).join(', ');
          await run(
            `insert into activity_hours (hour, is_dirty, dirty_until, due_at) values ${values} ${markAgain}`,
            rows.flat(),
          );
        }
      }),

    claimHour: () =>
      call(async ({ run }) => {
        const due = await run(
          `select hour, due_at, ${NOW} as claimed_at from activity_hours
           where is_dirty = true and due_at <= ${NOW} order by hour desc limit 1`,
        );
        if (!due.rows[0]) return null;
        const { hour, due_at, claimed_at } = due.rows[0] as Record<string, Date>;
        const claim = `update activity_hours set due_at = ${fromNow(CLAIM_MS)} where hour = ? and due_at = ?`;
        // Of several who found it one finds it still so.
        const { affected } = await run(claim, [hour!, due_at!]);
        return affected === 1 ? { hour: hour!, claimedAt: claimed_at! } : null;
      }),

    async keepHour({ hour, claimedAt }, counts) {
      await call(({ run }) =>
        run(
          `update activity_hours set is_dirty = (dirty_until >= ?), due_at = ${fromNow(RECOUNT_MS)}, counted_at = ?, counts = ?
           where hour = ? and (counted_at is null or counted_at < ?)`,
          [claimedAt, claimedAt, JSON.stringify(counts), hour, claimedAt],
        ),
      );
    },

    listHours: (from, to) =>
      call(async ({ run }) => {
        const { rows } = await run(
          'select hour, is_dirty, counts from activity_hours where hour >= ? and hour < ? order by hour',
          [from < TIME_MIN ? TIME_MIN : from, to > TIME_MAX ? TIME_MAX : to],
        );
        return rows.map(({ hour, is_dirty, counts }) => ({
          hour: hour as Date,
          isDirty: Boolean(is_dirty),
          counts: counts === null ? null : (JSON.parse(counts as string) as HourCounts),
        }));
      }),
  };
}
