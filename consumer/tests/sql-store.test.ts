import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ConfigurationError, StoreUnavailable } from '@event-tracker/shared/errors';
import { startMysql } from '../../tools/services/mysql.ts';
import { startPostgres } from '../../tools/services/postgres.ts';
import { describeWith, serviceUrl } from '../../tools/services/in-tests.ts';
import { mysql } from '../store/mysql.ts';
import { openStore } from '../store/open.ts';
import { postgres } from '../store/postgres.ts';
import { activityRange } from '../store/sql-activities.ts';
import { deadLetterRange } from '../store/sql-dead-letters.ts';
import { type RunSql, type SqlConnection, type SqlPool } from '../store/sql-dialect.ts';
import { type Range, statements } from '../store/sql-page.ts';
import { PAGE_PAYLOAD_BYTES_MAX, tailRange } from '../store/sql-tail.ts';
import { type Store } from '../store/store.ts';
import { createDatabase, runSql, type SqlService } from './databases.ts';
import { aDeadLetter, aDelivery, aReport } from './events.ts';

const options = { worker: 'tester', timeoutMs: 10_000 };
const servers = {
  postgres: { dialect: postgres, start: startPostgres },
  mysql: { dialect: mysql, start: startMysql },
};
const both: SqlService[] = ['postgres', 'mysql'];

const stores: Store[] = [];
const pools: SqlPool[] = [];
const connections: SqlConnection[] = [];

/** A store that is closed after the test. */
async function open(url: string, timeoutMs = options.timeoutMs): Promise<Store> {
  const store = await openStore(url, { ...options, timeoutMs });
  stores.push(store);
  return store;
}

/** A connection as the store has them. */
async function connect(service: SqlService, url: string): Promise<SqlConnection> {
  const pool = servers[service].dialect.open(url, 5000);
  pools.push(pool);
  const connection = await pool.connect();
  connections.push(connection);
  return connection;
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  for (const connection of connections.splice(0)) connection.destroy();
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

const statusesOf = async (saving: ReturnType<Store['save']>) => (await saving).map(({ status }) => status);

async function refusalOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConfigurationError);
  const { message } = error as ConfigurationError;
  expect(message).toMatch(/^STORE_URL or DATABASE_URL: [^\n]+$/);
  return message;
}

describe.each(both)('%s', (service) => {
  const { dialect } = servers[service];
  const { table } = dialect.activities;

  describeWith(service, `tables in ${dialect.name}`, () => {
    test('three workers that start at once on an empty database make them once', async () => {
      const url = await createDatabase(service);
      const workers = await Promise.all([open(url), open(url), open(url)]);
      await Promise.all(workers.map((worker) => worker.prepare()));
      const [row] = await runSql(url, 'select version from event_tracker_schema');
      expect(row).toEqual({ version: 4 });
      for (const worker of workers) expect(await statusesOf(worker.save([aDelivery()]))).toEqual(['stored']);
    });

    /** Creates the tables as they were with this version. */
    async function createVersion(url: string, version: number): Promise<void> {
      const run: RunSql = async (sql) => ({ rows: await runSql(url, sql), affected: 0 });
      const steps = await dialect.migrations(run);
      await runSql(url, ...steps.slice(0, version).flat());
    }

    test.each([1, 2, 3])('of version %i are brought up to date and keep what they hold', async (version) => {
      const url = await createDatabase(service);
      await createVersion(url, version);
      await runSql(url, 'create table event_tracker_schema (version integer not null primary key)');
      await runSql(url, `insert into event_tracker_schema values (${version})`);
      const store = await open(url);
      const delivery = aDelivery();
      expect(await statusesOf(store.save([delivery]))).toEqual(['stored']);
      await store.prepare();
      expect(await statusesOf(store.save([delivery]))).toEqual(['duplicate']);
      await store.recordDead([aDeadLetter()]);
      expect(await store.reportProcess(aReport(), true)).toBe(true);
      const [row] = await runSql(url, 'select max(version) as version from event_tracker_schema');
      expect(row).toEqual({ version: 4 });
    });

    test.each([2, 4])('whose making broke off after step %i are completed', async (version) => {
      const url = await createDatabase(service);
      await createVersion(url, version);
      const store = await open(url);
      await store.prepare();
      expect(await store.reportProcess(aReport(), true)).toBe(true);
    });

    test('of a newer release are left alone', async () => {
      const url = await createDatabase(service);
      await (await open(url)).prepare();
      await runSql(url, 'insert into event_tracker_schema values (99)');
      expect(await refusalOf((await open(url)).prepare())).toMatch(/version 99.*newer release/);
    });

    test.each([
      ['user_id int not null, event_type varchar(50), timestamp int', /missing instead of/],
      ['event_id varchar(128) primary key, user_id int', /user_id is int/],
    ])('of another shape are refused by name and left alone: %s', async (shape, fault) => {
      const url = await createDatabase(service);
      await runSql(url, `create table ${table} (${shape})`);
      const message = await refusalOf((await open(url)).prepare());
      expect(message).toContain(`the table ${table} has another shape`);
      expect(message).toMatch(fault);
      await runSql(url, `alter table ${table} rename to ${table}_of_others`);
      await (await open(url)).prepare();
    });

    test('serve a user who may only read and write', async () => {
      const url = await createDatabase(service);
      const name = url.slice(url.lastIndexOf('/') + 1);
      await (await open(url)).prepare();
      const grants =
        service === 'postgres'
          ? [
              `create role ${name} login password 'password'`,
              'revoke create on schema public from public',
              `grant select, insert, update, delete on all tables in schema public to ${name}`,
            ]
          : [
              `create user ${name} identified by 'password'`,
              `grant select, insert, update, delete on ${name}.* to ${name}`,
            ];
      await runSql(url, ...grants);
      const store = await open(url.replace('event_tracker:', `${name}:`));
      await store.prepare();
      expect(await statusesOf(store.save([aDelivery()]))).toEqual(['stored']);
      expect(await store.list({ limit: 10 })).toHaveLength(1);
      await runSql(
        url,
        service === 'postgres' ? 'delete from event_tracker_schema' : 'drop table delivery_attempts',
      );
      if (service === 'mysql') await runSql(url, 'delete from event_tracker_schema');
      expect(await refusalOf((await open(url.replace('event_tracker:', `${name}:`))).prepare())).toMatch(
        /denied/,
      );
    });

    test('without the unique event id are refused', async () => {
      const url = await createDatabase(service);
      await (await open(url)).prepare();
      const drop = service === 'postgres' ? `drop constraint ${table}_pkey` : 'drop key by_event_id';
      await runSql(url, `alter table ${table} ${drop}`);
      expect(await refusalOf((await open(url)).prepare())).toContain('event_id is not unique');
    });

    test('hold moments in UTC, whatever the zones of the program, the server and its users', async () => {
      const url = await createDatabase(service);
      const name = url.slice(url.lastIndexOf('/') + 1);
      if (service === 'postgres') {
        await runSql(url, `alter database ${name} set timezone to 'Asia/Tokyo'`);
        await runSql(url, `alter database ${name} set datestyle to 'German'`);
      }
      const store = await open(url);
      await store.prepare();
      await store.save([aDelivery({ eventId: 'x', timestamp: '2024-07-01T00:00:00.007Z' })]);
      const text =
        service === 'postgres'
          ? `to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')`
          : 'timestamp';
      const [row] = await runSql(url, `select ${text} as moment from ${table}`);
      expect(row).toEqual({ moment: '2024-07-01 00:00:00.007' });
      expect((await store.get('x'))?.timestamp).toEqual(new Date('2024-07-01T00:00:00.007Z'));
    });

    test('every list reads an index, sorts nothing, and reads no more than its page', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      const start = Date.UTC(2025, 0, 1);
      const at = (second: number) => new Date(start + second * 1000);
      const named = (index: number) => `same-${String(index).padStart(5, '0')}`;
      for (let index = 0; index < 10_000; index += 500) {
        const rows = Array.from({ length: 500 }, (_, row) => index + row);
        await store.save(
          rows.map((row) =>
            aDelivery({
              ...{ eventId: named(row), userId: `u${row % 50}`, eventType: `t${row % 20}` },
              // The first thousand are of one moment.
              timestamp: at(Math.max(0, row - 1000)).toISOString(),
            }),
          ),
        );
        await store.recordDead(
          rows.map((row) =>
            aDeadLetter({
              ...{
                id: named(row),
                reason: row % 2 ? 'crash-loop' : 'invalid-event',
                eventType: `t${row % 20}`,
              },
              diedAt: at(Math.max(0, row - 1000)),
            }),
          ),
        );
      }
      await runSql(url, `analyze ${service === 'mysql' ? 'table ' : ''}${table}`);
      const after = { timestamp: at(0), eventId: named(800), diedAt: at(0), id: named(800) };
      const limit = 10;
      const ranges: Range[] = [
        activityRange(dialect, { limit }),
        activityRange(dialect, { limit, userId: 'u7' }),
        activityRange(dialect, { limit, eventType: 't7' }),
        activityRange(dialect, { limit, userId: 'u7', eventType: 't7' }),
        activityRange(dialect, { limit, from: at(100), to: at(8000) }),
        activityRange(dialect, { limit, userId: 'u7', eventType: 't7', from: at(100), to: at(8000) }),
        activityRange(dialect, { limit, after }),
        activityRange(dialect, { limit, userId: 'u7', after }),
        activityRange(dialect, { limit, eventType: 't7', after, to: at(9000) }),
        deadLetterRange({ limit }),
        deadLetterRange({ limit, reason: 'crash-loop' }),
        deadLetterRange({ limit, eventType: 't7' }),
        deadLetterRange({ limit, reason: 'crash-loop', eventType: 't7' }),
        deadLetterRange({ limit, after }),
        deadLetterRange({ limit, reason: 'crash-loop', after }),
        tailRange(dialect, { limit, since: new Date(0) }),
        tailRange(dialect, { limit, since: at(0) }),
      ];
      const connection = await connect(service, url);
      const plain = ranges.flatMap((range) =>
        statements(dialect, range).map((one) => ({ ...one, values: [...one.values, limit] })),
      );
      expect(plain).toHaveLength(22);
      for (const { sql, values } of plain) {
        const { plan, rowsRead } = await readPlan[service](connection.run, sql, values);
        expect([sql, plan]).toEqual([sql, expect.not.stringMatching(/filesort|Sort"|Seq Scan|"ALL"|Bitmap/)]);
        // Of both filters of dead letters the index serves one.
        expect([sql, rowsRead <= (sql.includes('reason = ? and event_type') ? 60 : 12)]).toEqual([sql, true]);
      }
    });

    test('the tail looks for a page in payloads of a bounded size, and stumbles over none', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      const rest = PAGE_PAYLOAD_BYTES_MAX - Buffer.byteLength('{"path":"/a","rest":""}');
      const payloads = [
        { path: '/a', rest: 'x'.repeat(rest) },
        { path: '/a', rest: 'x'.repeat(rest + 1) },
        { path: '/a', rest: 'ä'.repeat(rest - 1) },
      ];
      await store.save(payloads.map((payload, index) => aDelivery({ eventId: String(index), payload })));
      await store.save([aDelivery({ eventId: 'list' })]);
      // PostgreSQL keeps nothing that is no JSON.
      const { payload } = dialect.activities;
      const foreign = service === 'mysql' ? '{' : '[7]';
      await runSql(url, `update ${table} set ${payload} = '${foreign}' where event_id = 'list'`);
      const tail = await store.tail({ since: new Date(0), limit: 10 });
      expect(new Map(tail.map(({ eventId, page }) => [eventId, page]))).toEqual(
        new Map(
          [...'012']
            .map((id, index) => [id, index === 0 ? '/a' : null] as [string, string | null])
            .concat([['list', null]]),
        ),
      );
    });

    test('a row that a rule of the table refuses is rejected alone', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      await runSql(url, `alter table ${table} add constraint guarded check (user_id <> 'refused')`);
      const deliveries = Array.from({ length: 500 }, (_, index) =>
        aDelivery({ userId: [77, 78, 400].includes(index) ? 'refused' : 'good' }),
      );
      const statuses = await statusesOf(store.save(deliveries));
      const rejected = [...statuses.keys()].filter((index) => statuses[index] === 'rejected');
      expect(rejected).toEqual([77, 78, 400]);
      expect(statuses.filter((status) => status === 'stored')).toHaveLength(497);
      const [again] = await store.save([deliveries[77]!]);
      expect(again).toEqual({ status: 'rejected', error: expect.stringContaining('guarded') as string });
    });

    test('of an id that comes twice the second is stored where the first is refused', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      await runSql(url, `alter table ${table} add constraint guarded check (user_id <> 'refused')`);
      const twice = [
        aDelivery({ eventId: 'twice', userId: 'refused' }),
        aDelivery({ eventId: 'twice', userId: 'good' }),
        aDelivery({ eventId: 'twice', userId: 'refused' }),
      ];
      expect(await statusesOf(store.save(twice))).toEqual(['rejected', 'stored', 'duplicate']);
    });

    test('a unique index of someone else makes no duplicates', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      await runSql(url, `create unique index narrow on ${table} (user_id)`);
      const two = [aDelivery({ userId: 'same' }), aDelivery({ userId: 'same' })];
      expect((await statusesOf(store.save(two))).sort()).toEqual(['rejected', 'stored']);
    });

    test('an id that somebody is just inserting is waited for', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      await store.save([aDelivery({ eventId: 'template' })]);
      for (const [end, outcome] of [
        ['commit', 'duplicate'],
        ['rollback', 'stored'],
      ] as const) {
        const columns = (await runSql(url, `select * from ${table}`)).flatMap((row) => Object.keys(row));
        const others = [...new Set(columns)]
          .filter((name) => name !== 'id' && name !== 'event_id')
          .join(', ');
        const { run } = await connect(service, url);
        await run('begin');
        await run(
          `insert into ${table} (event_id, ${others}) select '${end}', ${others} from ${table} where event_id = 'template'`,
        );
        const saving = statusesOf(store.save([aDelivery({ eventId: end }), aDelivery()]));
        await new Promise((resolve) => setTimeout(resolve, 100));
        await run(end);
        expect(await saving).toEqual([outcome, 'stored']);
      }
    });

    test('many workers that save the same events in any order store each once', async () => {
      const url = await createDatabase(service);
      const workers = await Promise.all(Array.from({ length: 4 }, () => open(url)));
      await workers[0]!.prepare();
      const deliveries = Array.from({ length: 300 }, () => aDelivery());
      const stored = new Map<string, number>();
      await Promise.all(
        workers.flatMap((worker, number) =>
          Array.from({ length: 5 }, async (_, turn) => {
            const some = deliveries.slice(turn * 20, turn * 20 + 200);
            if ((number + turn) % 2) some.reverse();
            const statuses = await statusesOf(worker.save(some));
            statuses.forEach((status, index) => {
              const { eventId } = some[index]!.event;
              if (status === 'stored') stored.set(eventId, (stored.get(eventId) ?? 0) + 1);
            });
          }),
        ),
      );
      const [row] = await runSql(url, `select count(*) as count from ${table}`);
      expect(Number(row?.count)).toBe(280);
      expect([...stored.values()]).toEqual(Array<number>(280).fill(1));
    });

    test('a payload far over the limit of MongoDB is rejected here too, and what is just under it is stored', async () => {
      const url = await createDatabase(service);
      const store = await open(url);
      await store.prepare();
      const large = (bytes: number) => aDelivery({ payload: { text: 'x'.repeat(bytes) } });
      const MiB = 1024 * 1024;
      const deliveries = [aDelivery(), large(16 * MiB), large(15.9 * MiB), large(40 * MiB), aDelivery()];
      expect(await statusesOf(store.save(deliveries))).toEqual([
        ...['stored', 'rejected', 'stored', 'rejected', 'stored'],
      ]);
    });

    test('a password or a database that is wrong is one line without the password', async () => {
      const url = await createDatabase(service);
      const wrong = url.replace(':password@', ':s3cret-but-wrong@');
      expect(await refusalOf((await open(wrong)).prepare())).not.toContain('s3cret');
      const error: unknown = await (await open(wrong)).save([aDelivery()]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(String(error)).not.toContain('s3cret');
      expect(await refusalOf((await open(`${url}_of_nobody`)).prepare())).toContain('_of_nobody');
    });

    test('without a database in the URL it is activity_db', async () => {
      const store = await open(serviceUrl(service));
      await store.prepare();
      const delivery = aDelivery();
      await store.save([delivery]);
      const { eventId } = delivery.event;
      const found = await runSql(
        `${serviceUrl(service)}/activity_db`,
        `select user_id from ${table} where event_id = '${eventId}'`,
      );
      expect(found).toEqual([{ user_id: 'user-1' }]);
    });
  });

  describeWith(service, `a ${dialect.name} that fails`, () => {
    test('killed, every call fails as unavailable; back, the same store works and has what it confirmed', async () => {
      const server = await servers[service].start();
      try {
        const store = await open(server.url, 2000);
        await store.prepare();
        const before = aDelivery();
        await store.save([before]);
        await server.kill();
        const calls = [
          () => store.save([aDelivery()]),
          () => store.recordDead([aDeadLetter()]),
          () => store.prepare(),
          () => store.list({ limit: 1 }),
          () => store.get('x'),
          () => store.listDead({ limit: 1 }),
          () => store.getDead('x'),
          () => store.deleteDead([aDeadLetter()]),
          () => store.readAttempts(['x']),
          () => store.countAttempts(['x']),
          () => store.forgetAttempts(['x']),
          () => store.reportProcess(aReport(), true),
          () => store.listProcesses(),
          () => store.foldProcesses(new Date()),
          () => store.ping(),
        ];
        for (const call of calls) await expect(call()).rejects.toBeInstanceOf(StoreUnavailable);
        await server.restart();
        expect(await statusesOf(store.save([before, aDelivery()]))).toEqual(['duplicate', 'stored']);
      } finally {
        await server.stop();
      }
    });

    test('one that hangs is given up in time, and the same store recovers', async () => {
      const server = await servers[service].start();
      try {
        const store = await open(server.url, 1000);
        await store.prepare();
        const delivery = aDelivery();
        server.pause();
        // More calls than there are connections.
        const calls = Array.from({ length: 25 }, () => store.save([delivery]));
        for (const call of calls) await expect(call).rejects.toBeInstanceOf(StoreUnavailable);
        await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable);
        server.resume();
        let outcomes = await store.save([delivery]).catch(() => undefined);
        outcomes ??= await store.save([delivery]);
        expect(outcomes).toHaveLength(1);
        expect(await store.list({ limit: 10 })).toHaveLength(1);
        await Promise.all(Array.from({ length: 25 }, () => store.ping()));
      } finally {
        await server.stop();
      }
    });

    test('a store is closed while its database hangs', async () => {
      const server = await servers[service].start();
      try {
        const store = await open(server.url, 1000);
        await store.ping();
        server.pause();
        const failed = expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable);
        await store.close();
        await failed;
        stores.length = 0;
      } finally {
        await server.stop();
      }
    });
  });

  test.each([
    `${service}://`,
    `${service}://user:s3cret/x@host/db`,
    `${service}://a:1,b:2/db`,
    `${service}://host:port/db`,
  ])('the URL %s can never work', async (url) => {
    await expect(openStore(url, options)).rejects.toBeInstanceOf(ConfigurationError);
    await expect(openStore(url, options)).rejects.not.toThrow(/s3cret/);
  });
});

/** The plan of a statement as text, and how many rows it has read. */
const readPlan = {
  async postgres(run: RunSql, sql: string, values: Parameters<RunSql>[1]) {
    interface Node {
      'Actual Rows': number;
      'Rows Removed by Filter'?: number;
      Plans?: Node[];
    }
    const { rows } = await run(`explain (analyze, format json) ${sql}`, values);
    const plan = JSON.parse(String(rows[0]?.['QUERY PLAN'])) as [{ Plan: Node }];
    const read = (node: Node): number =>
      node['Actual Rows'] +
      (node['Rows Removed by Filter'] ?? 0) +
      (node.Plans ?? []).reduce((sum, one) => sum + read(one), 0);
    return { plan: JSON.stringify(plan), rowsRead: read(plan[0].Plan.Plans?.[0] ?? plan[0].Plan) };
  },
  async mysql(run: RunSql, sql: string, values: Parameters<RunSql>[1]) {
    const { rows } = await run(`explain ${sql}`, values);
    const count = async () => {
      const status = await run(`show session status like 'Handler_read_%'`);
      return status.rows
        .filter(
          ({ Variable_name: name }) => !String(name).endsWith('_key') && !String(name).endsWith('_first'),
        )
        .reduce((sum, { Value: value }) => sum + Number(value), 0);
    };
    const before = await count();
    await run(sql, values);
    return { plan: JSON.stringify(rows), rowsRead: (await count()) - before };
  },
};

describeWith('postgres', 'what only PostgreSQL has', () => {
  test('commits reach the disk also where the database says that they need not', async () => {
    const url = await createDatabase('postgres');
    await runSql(url, `alter database ${url.slice(url.lastIndexOf('/') + 1)} set synchronous_commit to off`);
    expect(await runSql(url, 'show synchronous_commit')).toEqual([{ synchronous_commit: 'off' }]);
    const { run } = await connect('postgres', url);
    expect((await run('show synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }]);
  });

  test('a database that cannot hold every text is refused', async () => {
    const url = await createDatabase('postgres');
    await runSql(url, `create database latin encoding 'LATIN1' template template0 locale 'C'`);
    const latin = url.replace(/[^/]+$/, 'latin');
    expect(await refusalOf((await open(latin)).prepare())).toContain('UTF8');
  });
});

describeWith('mysql', 'what only MySQL has', () => {
  test('what is larger than a packet of the server is rejected alone, and a dead letter is cut', async () => {
    const server = await startMysql();
    try {
      await runSql(server.url, 'set global max_allowed_packet = 1048576');
      const store = await open(server.url);
      await store.prepare();
      const large = (bytes: number) => aDelivery({ payload: { text: '"'.repeat(bytes) } });
      const deliveries = [aDelivery(), large(2 ** 20), aDelivery(), large(2 ** 18)];
      const outcomes = await store.save(deliveries);
      expect(outcomes.map(({ status }) => status)).toEqual(['stored', 'rejected', 'stored', 'stored']);
      expect(outcomes[1]).toMatchObject({ error: expect.stringContaining('max_allowed_packet') as string });
      await store.recordDead([aDeadLetter({ id: 'large', body: Buffer.alloc(2 ** 21, 'x') })]);
      const letter = await store.getDead('large');
      expect(letter?.body.length).toBe(2 ** 19 - 1024);
      expect(letter?.error).toMatch(/of its 2097152 bytes the first/);
    } finally {
      await server.stop();
    }
  });

  test('a server that loses what it has confirmed when it crashes is refused', async () => {
    const server = await startMysql();
    try {
      await runSql(server.url, 'set global innodb_flush_log_at_trx_commit = 0');
      expect(await refusalOf((await open(server.url)).prepare())).toContain('innodb_flush_log_at_trx_commit');
    } finally {
      await server.stop();
    }
  });
});

describe.each(both)('%s', (service) => {
  describeWith(service, 'a program in another zone', () => {
    test.each(['America/New_York', 'Europe/Amsterdam', 'Asia/Kathmandu'])(
      '%s keeps moments as they are',
      async (TZ) => {
        const url = await createDatabase(service);
        const moments = ['1000-01-01T00:00:00.000Z', '1890-07-01T12:00:00.001Z', '2024-11-03T05:30:00.999Z'];
        const script = `
        const { openStore } = require(${JSON.stringify(path.join(__dirname, '../store/open.ts'))});
        const { aDelivery } = require(${JSON.stringify(path.join(__dirname, 'events.ts'))});
        const moments = ${JSON.stringify(moments)};
        openStore(process.argv[1], { worker: 'w', timeoutMs: 10000 }).then(async (store) => {
          await store.prepare();
          await store.save(moments.map((timestamp) => aDelivery({ eventId: timestamp, timestamp })));
          const read = await store.list({ limit: 10 });
          console.log(JSON.stringify([new Date(0).getTimezoneOffset(), read.map(({ timestamp }) => timestamp)]));
          await store.close();
        });`;
        const args = ['--import', 'tsx', '--conditions=source', '-e', script, url];
        const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, TZ } });
        const [offset, read] = JSON.parse(stdout) as [number, string[]];
        expect(offset).not.toBe(0);
        expect(read).toEqual(moments.toReversed());
        const store = await open(url);
        expect((await store.list({ limit: 10 })).map(({ timestamp }) => timestamp.toISOString())).toEqual(
          read,
        );
      },
    );
  });
});
