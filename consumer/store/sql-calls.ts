import { setTimeout as delay } from 'node:timers/promises';
import { ConfigurationError, StoreUnavailable } from '@event-tracker/shared/errors';
import { type Dialect, type RunSql, type SqlConnection } from './sql-dialect.ts';
import { within } from './within.ts';

/** What a call may do on its connection; whatever loses against others in the same rows is repeated, until the call is over. */
export interface Sql {
  run: RunSql;
  /** Commits what `work` did on success, and nothing of it otherwise. `work` is repeated as a whole. */
  transaction: <T>(work: (run: RunSql) => Promise<T>) => Promise<T>;
  valueBytesMax: number;
}

export interface SqlCalls {
  /**
   * Runs one call on a connection of its own, bounds it, and puts its failure into the terms of the port; a database
   * that refuses this client is a `RefusedError`. The driver's own error stays here: it may carry values.
   */
  call: <T>(work: (sql: Sql) => Promise<T>, RefusedError?: typeof ConfigurationError) => Promise<T>;
  close: () => Promise<void>;
}

/** Those who met in the same rows come back apart. */
const CONFLICT_DELAY_MAX_MS = 50;

export function createSqlCalls(dialect: Dialect, url: string, timeoutMs: number): SqlCalls {
  const pool = dialect.open(url, timeoutMs);
  const inUse = new Set<SqlConnection>();

  async function withConnection<T>(
    lease: { over: boolean; destroy: () => void },
    work: (sql: Sql) => Promise<T>,
  ) {
    const connection = await pool.connect();
    inUse.add(connection);
    lease.destroy = () => connection.destroy();
    try {
      if (lease.over) throw new StoreUnavailable(`${dialect.name}: connected too late`);
      const result = await work(createSql(dialect, connection, () => lease.over));
      connection.release();
      return result;
    } catch (error) {
      // Nobody knows what is still open or running on it.
      connection.destroy();
      throw error;
    } finally {
      lease.destroy = () => undefined;
      inUse.delete(connection);
    }
  }

  return {
    async call(work, RefusedError = StoreUnavailable) {
      const lease = { over: false, destroy: () => undefined as void };
      try {
        return await within(timeoutMs, dialect.name, () => withConnection(lease, work));
      } catch (error) {
        if (error instanceof StoreUnavailable || error instanceof ConfigurationError) throw error;
        const fault = dialect.faultOf(error);
        if (fault === 'unexpected') throw error;
        if (fault === 'rejected') throw valueRefused(dialect, error);
        if (fault === 'misconfigured')
          throw new RefusedError(`STORE_URL or DATABASE_URL: ${dialect.name} refuses: ${messageOf(error)}`);
        throw new StoreUnavailable(`${dialect.name}: ${messageOf(error)}`);
      } finally {
        lease.over = true;
        lease.destroy();
      }
    },
    async close() {
      for (const connection of inUse) connection.destroy();
      // A database that hangs does not answer the farewell.
      await Promise.race([pool.close(), delay(timeoutMs, undefined, { ref: false })]);
    },
  };
}

function createSql(dialect: Dialect, connection: SqlConnection, isOver: () => boolean): Sql {
  const { run } = connection;
  async function persist<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (dialect.faultOf(error) !== 'conflict' || isOver()) throw error;
      }
      await delay(Math.random() * CONFLICT_DELAY_MAX_MS);
    }
  }
  return {
    run: (sql, values) => persist(() => run(sql, values)),
    transaction: (work) =>
      persist(async () => {
        await run('begin');
        try {
          const result = await work(run);
          await run('commit');
          return result;
        } catch (error) {
          await run('rollback');
          throw error;
        }
      }),
    valueBytesMax: connection.valueBytesMax,
  };
}

/** The driver's error is not its cause: it may carry values, which must reach no log. */
function valueRefused({ name }: Dialect, error: unknown): Error {
  return new Error(`${name} refuses a value: ${messageOf(error)}`);
}

export function messageOf(error: unknown): string {
  const { message, errors } = error as AggregateError;
  // A host with several addresses fails with one error for each.
  return message || errors?.map((one) => messageOf(one)).join('; ') || String(error);
}
