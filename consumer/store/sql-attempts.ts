import { type SqlCalls } from './sql-calls.ts';
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
        if (keys.length === 0) return [];
        const sql = `select id, attempts from delivery_attempts where id in ${placeholders(1, keys.length)}`;
        const { rows } = await run(sql, keys);
        const byKey = new Map(rows.map(({ id, attempts }) => [id, Number(attempts)]));
        return keys.map((key) => byKey.get(key) ?? 0);
      }),

    async countAttempts(keys) {
      if (keys.length === 0) return;
      const counts = new Map<string, number>();
      for (const key of keys.toSorted()) counts.set(key, (counts.get(key) ?? 0) + 1);
      const countedAt = new Date();
      const rows = [...counts].map(([key, count]) => [key, count, countedAt]);
      await call(async ({ run }) => {
        await run('delete from delivery_attempts where counted_at < ?', [
          new Date(Date.now() - ATTEMPTS_TTL_MS),
        ]);
        const values = placeholders(rows.length, 3);
        await run(
          `insert into delivery_attempts (id, attempts, counted_at) values ${values} ${addUp}`,
          rows.flat(),
        );
      });
    },

    async forgetAttempts(keys) {
      if (keys.length === 0) return;
      const sql = `delete from delivery_attempts where id in ${placeholders(1, keys.length)}`;
      await call(({ run }) => run(sql, keys.toSorted()));
    },
  };
}
