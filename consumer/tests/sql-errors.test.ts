import { ConfigurationError } from '@event-tracker/shared/errors';
import { DatabaseError } from 'pg';
import { describeWith } from '../../tools/services/in-tests.ts';
import { mysql } from '../store/mysql.ts';
import { ERRNO_FAULTS, mysqlFault } from '../store/mysql-errors.ts';
import { postgres } from '../store/postgres.ts';
import { postgresFault, SQLSTATE_FAULTS } from '../store/postgres-errors.ts';
import { type SqlFault, type SqlPool } from '../store/sql-dialect.ts';
import { createDatabase, type SqlService } from './databases.ts';

const withCode = (code: string) => Object.assign(new DatabaseError('no', 2, 'error'), { code });
const withErrno = (errno: number, sqlState = 'HY000') => Object.assign(new Error('no'), { errno, sqlState });
const ofSystem = Object.assign(new Error('connect ECONNREFUSED'), {
  syscall: 'connect',
  code: 'ECONNREFUSED',
  errno: -111,
});
const ofSystems = new AggregateError([ofSystem, ofSystem], '');

describe('what PostgreSQL says', () => {
  test.each<[string, unknown, SqlFault]>([
    ['serialization failure', withCode('40001'), 'conflict'],
    ['deadlock', withCode('40P01'), 'conflict'],
    ['lock not available', withCode('55P03'), 'conflict'],
    ['a transaction that was rolled back otherwise', withCode('40003'), 'unavailable'],
    ['duplicate of another unique index', withCode('23505'), 'rejected'],
    ['check violation', withCode('23514'), 'rejected'],
    ['NUL in a text', withCode('22021'), 'rejected'],
    ['too large for an index', withCode('54000'), 'rejected'],
    ['raised by a trigger', withCode('P0001'), 'rejected'],
    ['wrong password', withCode('28P01'), 'misconfigured'],
    ['no such database', withCode('3D000'), 'misconfigured'],
    ['no privilege', withCode('42501'), 'misconfigured'],
    ['no such table', withCode('42P01'), 'misconfigured'],
    ['no unique constraint for ON CONFLICT', withCode('42P10'), 'misconfigured'],
    ['starting up', withCode('57P03'), 'unavailable'],
    ['shut down', withCode('57P01'), 'unavailable'],
    ['statement timeout', withCode('57014'), 'unavailable'],
    ['disk full', withCode('53100'), 'unavailable'],
    ['too many connections', withCode('53300'), 'unavailable'],
    ['read only, a standby', withCode('25006'), 'unavailable'],
    ['internal error', withCode('XX000'), 'unavailable'],
    ['a code that nobody knows', withCode('ZZ999'), 'unavailable'],
    ['refused', ofSystem, 'unavailable'],
    ['refused at each address', ofSystems, 'unavailable'],
    ['broken off', new Error('Connection terminated unexpectedly'), 'unavailable'],
    ['no connection in time', new Error('timeout exceeded when trying to connect'), 'unavailable'],
    ['no answer in time', new Error('Query read timeout'), 'unavailable'],
    ['closed meanwhile', new Error('Cannot use a pool after calling end on the pool'), 'unavailable'],
    [
      'no password given',
      new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
      'misconfigured',
    ],
    ['no TLS there', new Error('The server does not support SSL connections'), 'misconfigured'],
    ['a bug', new TypeError('undefined is not a function'), 'unexpected'],
    ['no error at all', 'text', 'unexpected'],
  ])('%s', (_title, error, fault) => {
    expect(postgresFault(error)).toBe(fault);
  });

  test.each(Object.entries(SQLSTATE_FAULTS))('%s is %s, as a code or as a class', (code, fault) => {
    expect(postgresFault(withCode(code.padEnd(5, '0')))).toBe(fault);
  });
});

describe('what MySQL and MariaDB say', () => {
  test.each<[string, unknown, SqlFault]>([
    ['deadlock', withErrno(1213, '40001'), 'conflict'],
    ['lock wait timeout', withErrno(1205), 'conflict'],
    ['duplicate of another unique key', withErrno(1062, '23000'), 'rejected'],
    ['too long for its column', withErrno(1406, '22001'), 'rejected'],
    ['check violation of MySQL', withErrno(3819), 'rejected'],
    ['check violation of MariaDB', withErrno(4025, '23000'), 'rejected'],
    ['signalled by a trigger', withErrno(1644, '45000'), 'rejected'],
    ['larger than a packet', withErrno(1153, '08S01'), 'rejected'],
    ['data of a kind that the table does not name', withErrno(9999, '22123'), 'rejected'],
    ['wrong password', withErrno(1045, '28000'), 'misconfigured'],
    ['no such database', withErrno(1049, '42000'), 'misconfigured'],
    ['no privilege', withErrno(1142, '42000'), 'misconfigured'],
    ['no such table', withErrno(1146, '42S02'), 'misconfigured'],
    ['shutting down', withErrno(1053, '08S01'), 'unavailable'],
    ['too many connections', withErrno(1040, '08004'), 'unavailable'],
    ['disk full', withErrno(1021), 'unavailable'],
    ['read only', withErrno(1290), 'unavailable'],
    ['a number that nobody knows', withErrno(9999), 'unavailable'],
    ['refused', ofSystem, 'unavailable'],
    ['refused at each address', ofSystems, 'unavailable'],
    [
      'broken off',
      Object.assign(new Error('Connection lost'), { code: 'PROTOCOL_CONNECTION_LOST' }),
      'unavailable',
    ],
    [
      'no answer in time',
      Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' }),
      'unavailable',
    ],
    ['closed meanwhile', new Error('Pool is closed.'), 'unavailable'],
    ['closed in use', new Error(`Can't add new command when connection is in closed state`), 'unavailable'],
    ['no TLS there', Object.assign(new Error('no'), { code: 'HANDSHAKE_NO_SSL_SUPPORT' }), 'misconfigured'],
    ['a bug', new TypeError('undefined is not a function'), 'unexpected'],
    ['no error at all', undefined, 'unexpected'],
  ])('%s', (_title, error, fault) => {
    expect(mysqlFault(error)).toBe(fault);
  });

  test.each(Object.entries(ERRNO_FAULTS))('%s is %s, whatever its class', (errno, fault) => {
    expect(mysqlFault(withErrno(Number(errno), '22000'))).toBe(fault);
  });
});

describe.each<SqlService>(['postgres', 'mysql'])('%s', (service) => {
  const dialect = { postgres, mysql }[service];

  describeWith(service, `errors of a real ${dialect.name}`, () => {
    let url: string;
    let pool: SqlPool;
    beforeAll(async () => {
      url = await createDatabase(service);
      pool = dialect.open(url, 2000);
      const { run, release } = await pool.connect();
      await run(
        'create table parent (id int primary key, word varchar(3) unique, age int not null, check (age > 0))',
      );
      await run(`insert into parent values (1, 'a', 1), (2, 'b', 1)`);
      release();
    });
    afterAll(() => pool.close());

    async function faultOf(sql: string): Promise<SqlFault> {
      const connection = await pool.connect();
      try {
        await connection.run(sql);
      } catch (error) {
        return dialect.faultOf(error);
      } finally {
        connection.release();
      }
      throw new Error('it succeeded');
    }

    test.each<[string, SqlFault]>([
      [`insert into parent values (1, 'c', 1)`, 'rejected'],
      [`insert into parent values (3, 'a', 1)`, 'rejected'],
      [`insert into parent values (3, 'long', 1)`, 'rejected'],
      [`insert into parent values (3, 'c', null)`, 'rejected'],
      [`insert into parent values (3, 'c', 0)`, 'rejected'],
      [`insert into parent values (3, 'c', 99999999999)`, 'rejected'],
      ['select * from nothing', 'misconfigured'],
      ['select nothing from parent', 'misconfigured'],
    ])('%s', async (sql, fault) => {
      expect(await faultOf(sql)).toBe(fault);
    });

    test('two who wait for each other meet in a conflict', async () => {
      const [one, two] = [await pool.connect(), await pool.connect()];
      await Promise.all([one.run('begin'), two.run('begin')]);
      await one.run('update parent set age = age + 1 where id = 1');
      await two.run('update parent set age = age + 1 where id = 2');
      const results = await Promise.allSettled([
        one.run('update parent set age = age + 1 where id = 2'),
        two.run('update parent set age = age + 1 where id = 1'),
      ]);
      const faults = results.flatMap((result) =>
        result.status === 'rejected' ? [dialect.faultOf(result.reason)] : [],
      );
      expect(faults).toEqual(['conflict']);
      one.destroy();
      two.destroy();
    });

    test('the settings of a session are what a store needs, whatever those of the server are', async () => {
      const { run, release } = await pool.connect();
      const { rows } = await run(
        service === 'postgres'
          ? `select current_setting('timezone') as zone, current_setting('synchronous_commit') as durable`
          : `select @@time_zone as zone, @@innodb_flush_log_at_trx_commit as durable`,
      );
      release();
      expect(rows).toEqual([
        service === 'postgres' ? { zone: 'UTC', durable: 'on' } : { zone: '+00:00', durable: 1 },
      ]);
    });
  });
});

test.each([postgres, mysql])('$name is not asked to connect by a URL that is none', ({ open }) => {
  expect(() => open('none', 1000)).toThrow(ConfigurationError);
});
