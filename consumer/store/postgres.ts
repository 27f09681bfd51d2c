import { ConfigurationError } from '@event-tracker/shared/errors';
import { type ClientBase, Pool, type PoolConfig, types } from 'pg';
import { postgresFault } from './postgres-errors.ts';
import {
  CONNECTIONS_MAX,
  DEFAULT_DATABASE,
  type Dialect,
  placeholders,
  type SqlPool,
  type SqlRow,
  type SqlValue,
} from './sql-dialect.ts';

const TABLE = 'user_events';
/** The key of the advisory lock under which one worker at a time migrates. */
const LOCK = `hashtext('event_tracker ' || current_schema())`;
/** A value ends at 1 GB, and so does a statement; a quarter of it is more than any event. */
const VALUE_BYTES_MAX = 256 * 1024 * 1024;

/** The same moment as an expression, whose index serves no order by the column itself. */
const utc = (column: string) => `(${column} at time zone 'UTC')`;

/** Tables as seed programs name them. Text collates as "C": by code point, whatever the database was created with. */
const migrations = [
  [
    `create table if not exists ${TABLE} (
      event_id text collate "C" primary key,
      user_id text collate "C" not null,
      event_type text collate "C" not null,
      timestamp timestamptz(3) not null,
      payload json not null,
      source text not null,
      received_at timestamptz(3) not null,
      processed_at timestamptz(3) not null,
      attempts bigint not null,
      redelivered boolean not null,
      worker text not null,
      request_id text,
      ip text,
      user_agent text
    )`,
    `create index if not exists ${TABLE}_by_user on ${TABLE} (user_id, timestamp, event_id)`,
    `create index if not exists ${TABLE}_by_type on ${TABLE} (event_type, timestamp, event_id)`,
    `create index if not exists ${TABLE}_by_user_and_type on ${TABLE} (user_id, event_type, timestamp, event_id)`,
    `create index if not exists ${TABLE}_by_time on ${TABLE} (${utc('timestamp')}, event_id)`,
  ],
  [
    `create table if not exists dead_letters (
      id text collate "C" primary key,
      reason text collate "C" not null,
      error text not null,
      details json not null,
      body bytea not null,
      event_id text collate "C",
      event_type text collate "C",
      attempts bigint not null,
      died_at timestamptz(3) not null,
      worker text not null
    )`,
    'create index if not exists dead_letters_by_reason on dead_letters (reason, died_at, id)',
    'create index if not exists dead_letters_by_type on dead_letters (event_type, died_at, id)',
    `create index if not exists dead_letters_by_time on dead_letters (${utc('died_at')}, id)`,
    `create table if not exists delivery_attempts (
      id text collate "C" primary key,
      attempts bigint not null,
      counted_at timestamptz(3) not null
    )`,
    'create index if not exists delivery_attempts_by_time on delivery_attempts (counted_at)',
  ],
  [
    `create table if not exists processes (
      id text collate "C" primary key,
      ended boolean not null,
      reported_at timestamptz(3) not null,
      report json not null
    )`,
    // The sum of the counts of processes that have ended.
    `insert into processes values ('ended', false, now(), '{}') on conflict do nothing`,
  ],
  [`create index if not exists ${TABLE}_by_processed on ${TABLE} (processed_at, event_id)`],
  [
    `create table if not exists activity_hours (
      hour timestamptz(3) primary key,
      is_dirty boolean not null,
      dirty_until timestamptz(3) not null,
      due_at timestamptz(3) not null,
      counted_at timestamptz(3),
      counts json
    )`,
    'create index if not exists activity_hours_dirty on activity_hours (hour) where is_dirty',
  ],
];

export const postgres: Dialect = {
  name: 'PostgreSQL',
  activities: { table: TABLE, payload: 'payload', payloadBytes: 'octet_length(payload::text)' },
  types: {
    key: 'text',
    text: 'text',
    json: 'json',
    time: 'timestamp with time zone',
    number: 'bigint',
    flag: 'boolean',
    bytes: 'bytea',
  },
  currentSchema: 'current_schema()',
  faultOf: postgresFault,
  open: openPool,
  async lock(run) {
    await run(`select pg_advisory_lock(${LOCK})`);
    const { rows } = await run('show server_encoding');
    if (rows[0]?.server_encoding !== 'UTF8') {
      throw new ConfigurationError(
        'STORE_URL or DATABASE_URL: the database is not in the encoding UTF8, so that it cannot hold every text; create one that is',
      );
    }
  },
  async unlock(run) {
    await run(`select pg_advisory_unlock(${LOCK})`);
  },
  migrations: () => Promise.resolve(migrations),
  // No hint names an index here. But of the indexes in which a filtered list finds its order, each begins with the filter.
  range: (table, index, time) => ({ from: table, time: index === 'by_time' ? utc(time) : time }),
  async insertActivities(run, columns, rows) {
    const { rows: inserted } = await run(
      `insert into ${TABLE} (${columns.join(', ')}) values ${placeholders(rows.length, columns.length)}
       on conflict (event_id) do nothing returning event_id`,
      rows.flat(),
    );
    const ids = new Set(inserted.map((row) => row.event_id));
    return rows.map(([id]) => ({ status: ids.has(id) ? 'stored' : 'duplicate' }));
  },
  onConflict: (update, key = 'id') =>
    `on conflict (${key}) do update set ${update((column) => `excluded.${column}`)}`,
};

function openPool(url: string, timeoutMs: number): SqlPool {
  const prepare: (client: ClientBase) => unknown = (client) => prepareSession(client, timeoutMs);
  const pool = createPool(url, {
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    keepAlive: true,
    application_name: 'event-tracker',
    types: {
      getTypeParser: (oid, format) =>
        (oid === types.builtins.JSON ? String : types.getTypeParser(oid, format)) as never,
    },
    // Its promise is awaited before anybody gets the connection, whatever its type says.
    onConnect: prepare,
  });
  // An idle connection that breaks is replaced by the next call.
  pool.on('error', () => undefined);

  return {
    async connect() {
      const client = await pool.connect();
      // A connection that breaks in use fails the statement that runs on it, and nobody waits for this event.
      const ignore = () => undefined;
      client.on('error', ignore);
      let isBack = false;
      const giveBack = (isBroken: boolean) => {
        if (isBack) return;
        isBack = true;
        client.off('error', ignore);
        client.release(isBroken);
      };
      return {
        async run(sql, values: readonly SqlValue[] = []) {
          let place = 0;
          const text = sql.replaceAll('?', () => `$${++place}`);
          // The driver would write a moment in local time, and of an offset from before 1900 lose the seconds.
          const texts = values.map((value) => (value instanceof Date ? value.toISOString() : value));
          const { rows, rowCount } = await client.query<SqlRow>(text, texts);
          return { rows, affected: rowCount ?? 0 };
        },
        valueBytesMax: VALUE_BYTES_MAX,
        release: () => giveBack(false),
        destroy: () => giveBack(true),
      };
    },
    close: () => pool.end(),
  };
}

function createPool(url: string, options: PoolConfig): Pool {
  try {
    const { hostname, pathname, searchParams } = new URL(url);
    if (!hostname && !searchParams.get('host')) throw new Error('no host');
    const hasDatabase = pathname.length > 1;
    return new Pool({ ...options, connectionString: hasDatabase ? url : withDatabase(url) });
  } catch {
    // The driver's message may repeat what is in the URL.
    throw new ConfigurationError(
      'STORE_URL or DATABASE_URL: is not a PostgreSQL URL such as postgres://user:password@host:5432/activity_db, with one host; write special characters in the user name or password as %40 and so on',
    );
  }
}

function withDatabase(url: string): string {
  const named = new URL(url);
  named.pathname = `/${DEFAULT_DATABASE}`;
  return named.href;
}

/** What a session has to have, whatever the defaults of the server, the database and the role are. */
const SESSION = {
  timezone: 'UTC',
  datestyle: 'ISO',
  default_transaction_isolation: 'read committed',
  // Every list has its index; estimates of how few rows match must not make it read and sort all of them.
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_sort: 'off',
};

async function prepareSession(client: ClientBase, timeoutMs: number): Promise<void> {
  const settings = { ...SESSION, statement_timeout: String(timeoutMs) };
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`);
  await client.query(`select ${calls.join(', ')}`);
  // A setting may be stronger than this, not weaker: a save that has resolved is on disk.
  await client.query(
    `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`,
  );
}
