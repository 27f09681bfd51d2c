import { randomBytes } from 'node:crypto';
import { ConfigurationError, StoreUnavailable } from '@event-tracker/shared/errors';
import {
  createPool,
  type Pool,
  type PoolConnection,
  type PoolOptions,
  type ResultSetHeader,
  type RowDataPacket,
} from 'mysql2/promise';
import { mysqlFault } from './mysql-errors.ts';
import {
  CONNECTIONS_MAX,
  DEFAULT_DATABASE,
  type Dialect,
  placeholders,
  type RunSql,
  type SqlPool,
  type SqlRow,
  type SqlValue,
} from './sql-dialect.ts';

const TABLE = 'user_activities';
/** Names of locks are the whole server's, and end at 64 characters. */
const LOCK = `sha2(concat('event_tracker.', database()), 256)`;
/** A longer text is sent beside its statement, which spares it the escapes. */
const INLINE_LENGTH_MAX = 64 * 1024;
/** A statement with its values beside it is prepared; a connection keeps so many of them. */
const PREPARED_STATEMENTS_MAX = 64;
const PACKET_OVERHEAD_BYTES = 1024;
const ER_NET_PACKET_TOO_LARGE = 1153;

const activityHours = (bytewise: string) => `create table if not exists activity_hours (
  hour datetime(3) not null primary key,
  is_dirty boolean not null,
  dirty_until datetime(3) not null,
  due_at datetime(3) not null,
  counted_at datetime(3),
  counts longtext,
  key by_dirty (is_dirty, hour)
) ${bytewise}`;

/**
 * Tables as seed programs name them. JSON is kept as text: the type JSON sorts keys and refuses long ones on MySQL, and
 * refuses deep nesting on MariaDB. `save_token` tells which call has inserted the row.
 */
const migrations = (bytewise: string) => [
  [
    `create table if not exists ${TABLE} (
      id bigint unsigned not null auto_increment primary key,
      event_id varchar(128) not null,
      user_id varchar(256) not null,
      event_type varchar(128) not null,
      timestamp datetime(3) not null,
      metadata longtext not null,
      source longtext not null,
      received_at datetime(3) not null,
      processed_at datetime(3) not null,
      attempts bigint not null,
      redelivered boolean not null,
      worker longtext not null,
      request_id longtext,
      ip longtext,
      user_agent longtext,
      save_token binary(16) not null,
      unique key by_event_id (event_id),
      key by_user (user_id, timestamp, event_id),
      key by_type (event_type, timestamp, event_id),
      key by_user_and_type (user_id, event_type, timestamp, event_id),
      key by_time (timestamp, event_id)
    ) ${bytewise}`,
  ],
  [
    `create table if not exists dead_letters (
      id varchar(128) not null primary key,
      reason varchar(32) not null,
      error longtext not null,
      details longtext not null,
      body longblob not null,
      event_id varchar(128),
      event_type varchar(128),
      attempts bigint not null,
      died_at datetime(3) not null,
      worker longtext not null,
      key by_reason (reason, died_at, id),
      key by_type (event_type, died_at, id),
      key by_time (died_at, id)
    ) ${bytewise}`,
    `create table if not exists delivery_attempts (
      id varchar(128) not null primary key,
      attempts bigint not null,
      counted_at datetime(3) not null,
      key by_time (counted_at)
    ) ${bytewise}`,
  ],
  [
    `create table if not exists processes (
      id varchar(128) not null primary key,
      ended boolean not null,
      reported_at datetime(3) not null,
      report longtext not null
    ) ${bytewise}`,
    // The sum of the counts of processes that have ended.
    `insert into processes values ('ended', false, utc_timestamp(), '{}') on duplicate key update id = id`,
  ],
  [activityHours(bytewise)],
];

export const mysql: Dialect = {
  name: 'MySQL',
  activities: { table: TABLE, payload: 'metadata', payloadBytes: 'octet_length(metadata)' },
  types: {
    key: 'varchar',
    text: 'longtext',
    json: 'longtext',
    time: 'datetime',
    number: 'bigint',
    flag: 'tinyint',
    bytes: 'longblob',
  },
  currentSchema: 'database()',
  faultOf: mysqlFault,
  open: openPool,
  async lock(run, timeoutMs) {
    const { rows } = await run(
      `select get_lock(${LOCK}, ?) as locked, @@innodb_flush_log_at_trx_commit as flush`,
      [Math.ceil(timeoutMs / 1000)],
    );
    if (rows[0]?.locked !== 1) throw new StoreUnavailable('MySQL: another worker migrates the tables');
    if (rows[0].flush === 0) {
      throw new ConfigurationError(
        'STORE_URL or DATABASE_URL: the server has innodb_flush_log_at_trx_commit=0 and loses what it has confirmed when it crashes; set it to 1',
      );
    }
  },
  async unlock(run) {
    await run(`select release_lock(${LOCK})`);
  },
  async migrations(run) {
    // Byte by byte, trailing blanks included: each of the two has a name of its own for it.
    const { rows } = await run('select version() as version');
    const collation = String(rows[0]?.version).includes('MariaDB') ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
    const steps = migrations(
      `engine = InnoDB row_format = dynamic default charset = utf8mb4 collate = ${collation}`,
    );
    return [...steps, await addIndex(run, 'by_processed', '(processed_at, event_id)')];
  },
  range: (table, index, time) => ({ from: `${table} force index (${index})`, time }),
  insertActivities,
  onConflict: (update) => `on duplicate key update ${update((column) => `values(${column})`)}`,
};

/** No statement of MySQL adds an index only where there is none of its name. */
async function addIndex(run: RunSql, name: string, columns: string): Promise<string[]> {
  const { rows } = await run(
    `select index_name from information_schema.statistics
     where table_schema = database() and table_name = '${TABLE}' and index_name = '${name}'`,
  );
  return rows.length > 0 ? [] : [`alter table ${TABLE} add key ${name} ${columns}`];
}

/**
 * INSERT IGNORE would hide every other fault of a row, and the count of affected rows does not tell which were there.
 * So each call marks what it inserts with a token of its own, leaves rows that are there alone, and reads whose they are.
 */
async function insertActivities(run: RunSql, columns: readonly string[], rows: readonly SqlValue[][]) {
  const token = randomBytes(16).toString('hex');
  const row = `(${placeholders(1, columns.length).slice(1, -1)}, unhex('${token}'))`;
  await run(
    `insert into ${TABLE} (${columns.join(', ')}, save_token) values ${rows.map(() => row).join(', ')}
     on duplicate key update event_id = ${TABLE}.event_id`,
    rows.flat(),
  );
  const ids = rows.map(([id = null]) => id);
  const kept = await run(
    `select event_id, save_token = unhex('${token}') as isNew from ${TABLE} where event_id in ${placeholders(1, ids.length)}`,
    ids,
  );
  const isNew = new Map(kept.rows.map((found) => [found.event_id, found.isNew === 1]));
  return ids.map((id) => {
    // Left alone though nothing of its id is there: another unique key that somebody has added was in the way.
    if (!isNew.has(id)) return { status: 'rejected', error: 'another unique key refuses it' } as const;
    return { status: isNew.get(id) ? 'stored' : 'duplicate' } as const;
  });
}

function openPool(url: string, timeoutMs: number): SqlPool {
  const pool = createMysqlPool(url, {
    connectionLimit: CONNECTIONS_MAX,
    maxIdle: CONNECTIONS_MAX,
    connectTimeout: timeoutMs,
    enableKeepAlive: true,
    maxPreparedStatements: PREPARED_STATEMENTS_MAX,
    charset: 'utf8mb4',
    timezone: 'Z',
  });
  /** What the server takes as one packet, of each connection that is prepared. */
  const packetBytes = new WeakMap<object, number>();

  return {
    async connect() {
      const connection = await pool.getConnection();
      const { connection: key } = connection;
      try {
        const packetBytesMax = packetBytes.get(key) ?? (await prepareSession(connection, timeoutMs));
        packetBytes.set(key, packetBytesMax);
        return {
          run: (sql, values = []) => runStatement(connection, sql, values, packetBytesMax),
          valueBytesMax: packetBytesMax - PACKET_OVERHEAD_BYTES,
          release: () => connection.release(),
          destroy: () => connection.destroy(),
        };
      } catch (error) {
        connection.destroy();
        throw error;
      }
    },
    close: () => pool.end(),
  };
}

async function runStatement(
  connection: PoolConnection,
  sql: string,
  values: readonly SqlValue[],
  packetBytesMax: number,
): Promise<{ rows: SqlRow[]; affected: number }> {
  const large = values.some(
    (value) => Buffer.isBuffer(value) || (typeof value === 'string' && value.length > INLINE_LENGTH_MAX),
  );
  const text = large ? sql : connection.format(sql, [...values]);
  const bytes = Buffer.byteLength(text) + (large ? sum(values.map(valueBytes)) : 0);
  if (bytes > packetBytesMax - PACKET_OVERHEAD_BYTES) {
    // The server would end the connection, which looks like a passing fault.
    throw Object.assign(
      new Error(`${bytes} bytes are more than the server's max_allowed_packet of ${packetBytesMax}`),
      { errno: ER_NET_PACKET_TOO_LARGE },
    );
  }
  const [result] = large
    ? await connection.execute<ResultSetHeader | RowDataPacket[]>(sql, [...values])
    : await connection.query<ResultSetHeader | RowDataPacket[]>(text);
  return Array.isArray(result) ? { rows: result, affected: 0 } : { rows: [], affected: result.affectedRows };
}

function valueBytes(value: SqlValue): number {
  const overhead = 16;
  return overhead + (typeof value === 'string' || Buffer.isBuffer(value) ? Buffer.byteLength(value) : 0);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

function createMysqlPool(url: string, options: PoolOptions): Pool {
  try {
    const { hostname, pathname } = new URL(url);
    if (!hostname) throw new Error('no host');
    return createPool({ ...options, uri: url, ...(pathname.length <= 1 && { database: DEFAULT_DATABASE }) });
  } catch {
    // The driver's message may repeat what is in the URL.
    throw new ConfigurationError(
      'STORE_URL or DATABASE_URL: is not a MySQL URL such as mysql://user:password@host:3306/activity_db, with one host; write special characters in the user name or password as %40 and so on',
    );
  }
}

/** Resolves to the bytes that the server takes as one packet. */
async function prepareSession(connection: PoolConnection, timeoutMs: number): Promise<number> {
  // The pool hears the first of these events only, and one that nobody hears ends the process.
  connection.connection.on('error', () => undefined);
  // Nobody can end this connection yet, so that it has to come to an end by itself.
  const query = (sql: string) => connection.query<RowDataPacket[]>({ sql, timeout: timeoutMs });
  await query(`set session time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`);
  await query(`set session innodb_lock_wait_timeout = ${Math.ceil(timeoutMs / 1000)}`);
  // Fewer locks between rows: workers that save neighbours seldom meet.
  await query('set session transaction isolation level read committed');
  const [rows] = await query('select @@max_allowed_packet as bytes');
  return Number(rows[0]?.bytes);
}
