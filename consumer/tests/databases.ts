import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { serviceUrl, uniqueName } from '../../tools/services/in-tests.ts';
import { type SqlRow } from '../store/sql-dialect.ts';

export const sqlServices = ['postgres', 'mysql'] as const;
export type SqlService = (typeof sqlServices)[number];

/** The URL of an empty database on the server for the tests, or on the one of this URL. */
export async function createDatabase(service: SqlService, server = serviceUrl(service)): Promise<string> {
  const name = uniqueName('test');
  await runSql(`${server}/${service === 'postgres' ? 'postgres' : 'mysql'}`, `create database ${name}`);
  return `${server}/${name}`;
}

/** Runs statements as somebody else than the store would; resolves to the rows of the last one. */
export async function runSql(url: string, ...statements: string[]): Promise<SqlRow[]> {
  let rows: SqlRow[] = [];
  if (url.startsWith('postgres')) {
    const client = new Client({ connectionString: url });
    await client.connect();
    for (const sql of statements) ({ rows } = await client.query<SqlRow>(sql));
    await client.end();
  } else {
    const connection = await createConnection({ uri: url, dateStrings: true });
    for (const sql of statements) [rows] = (await connection.query(sql)) as unknown as [SqlRow[]];
    await connection.end();
  }
  return rows;
}
