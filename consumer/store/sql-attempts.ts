import { type SqlCalls } from './sql-calls.ts';
import { chunks } from './sql-chunks.ts';
import { type Dialect, placeholders } from './sql-dialect.ts';
import { ATTEMPTS_TTL_MS, type AttemptStore } from './store.ts';

/** The part of the store that counts attempts. */
export function createSqlAttempts(dialect: Dialect, call: SqlCalls['call']): AttemptStore {
  const addUp = dialect.onConflict(
    (inserted) =>
      `attempts = delivery_attempts.attempts + ${inserted('attempts')}, counted_at = ${inserted('counted_at')}`,
  );

  return {
    readAttempts: (keys) =>
      call(async ({ run }) => {
        const byKey = new Map<unknown, number>();
        for (const some of chunks(keys.map((key) => [key]))) {
          const sql = `select id, attempts from delivery_attempts where id in ${placeholders(1, some.length)}`;
          const { rows } = await run(sql, some.flat());
          for (const { id, attempts } of rows) byKey.set(id, Number(attempts));
        }
        return keys.map((key) => byKey.get(key) ?? 0);
      }),

    async countAttempts(keys) {
      if (keys.length === 0) return;
      const counts = new Map<string, number>();
      for (const key of keys.toSorted()) counts.set(key, (counts.get(key) ?? 0) + 1);
      const countedAt = new Date();
      const longAgo = new Date(countedAt.getTime() - ATTEMPTS_TTL_MS);
      await call(({ transaction }) =>
        transaction(async (run) => {
          await run('delete from delivery_attempts where counted_at < ?', [longAgo]);
          for (const rows of chunks([...counts].map(([key, count]) => [key, count, countedAt]))) {
            const values = placeholders(rows.length, 3);
            const sql = `insert into delivery_attempts (id, attempts, counted_at) values ${values} ${addUp}`;
            await run(sql, rows.flat());
          }
        }),
      );
    },

    forgetAttempts: (keys) =>
      call(async ({ run }) => {
        for (const some of chunks(keys.toSorted().map((key) => [key]))) {
          const sql = `delete from delivery_attempts where id in ${placeholders(1, some.length)}`;
          await run(sql, some.flat());
        }
      }),
  };
}
