import { ConfigurationError } from '@event-tracker/shared/errors';
import { createSqlActivities } from './sql-activities.ts';
import { createSqlAttempts } from './sql-attempts.ts';
import { createSqlCalls } from './sql-calls.ts';
import { createSqlDeadLetters } from './sql-dead-letters.ts';
import { type Dialect } from './sql-dialect.ts';
import { createSqlHours } from './sql-hours.ts';
import { createSqlProcesses } from './sql-processes.ts';
import { createSqlScan } from './sql-scan.ts';
import { migrate } from './sql-schema.ts';
import { createSqlTail } from './sql-tail.ts';
import { type Store, type StoreOptions } from './store.ts';

/** A store in tables of the database that the URL names; it connects with its first call. */
export function createSqlStore(dialect: Dialect, url: string, { worker, timeoutMs }: StoreOptions): Store {
  const { call, close } = createSqlCalls(dialect, url, timeoutMs);
  return {
    ...createSqlActivities(dialect, call, worker),
    ...createSqlTail(dialect, call),
    ...createSqlDeadLetters(dialect, call),
    ...createSqlAttempts(dialect, call),
    ...createSqlHours(dialect, call),
    ...createSqlScan(dialect, call),
    ...createSqlProcesses(dialect, call),
    prepare: () => call((sql) => migrate(dialect, sql, timeoutMs), ConfigurationError),
    async ping() {
      await call(({ run }) => run('select 1'));
    },
    close,
  };
}
