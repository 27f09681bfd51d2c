import { execFileSync } from 'node:child_process';
import { chown, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createConnection } from 'mysql2/promise';
import { spawnProcess } from './child.ts';
import { findMariadb } from './find.ts';
import { freePort } from './free-port.ts';
import { runService, temporaryFolder, unprivileged, type Service } from './service.ts';

const user = 'event_tracker';
const password = 'password';
const setup = `create database if not exists activity_db;
create user if not exists '${user}'@'%' identified by '${password}';
grant all on *.* to '${user}'@'%' with grant option;
`;

/** Starts a MariaDB of one's own with a database `activity_db`; commits reach the disk as they do by default. */
export async function startMysql(): Promise<Service> {
  const programs = findMariadb();
  const port = await freePort();
  const folder = await temporaryFolder('mysql');
  const data = path.join(folder, 'data');
  const setupFile = path.join(folder, 'setup.sql');
  await writeFile(setupFile, setup);
  // MariaDB does not run as root.
  const owner = unprivileged();
  if (owner) for (const file of [folder, setupFile]) await chown(file, owner.uid, owner.gid);
  const env = { PATH: process.env.PATH, LC_ALL: 'C', HOME: folder };
  const url = `mysql://${user}:${password}@127.0.0.1:${String(port)}`;
  const common = ['--no-defaults', `--datadir=${data}`, `--tmpdir=${folder}`];
  // The path of the socket is relative to the data folder: a long one would not fit.
  const server = [...common, `--port=${String(port)}`, '--bind-address=127.0.0.1', '--socket=socket'];
  let isNew = true;
  return runService({
    url,
    folder,
    start: async () => {
      if (isNew) {
        const make = [...common, '--auth-root-authentication-method=normal', '--skip-test-db'];
        execFileSync(programs.installDb, make, { env, stdio: 'pipe', cwd: folder, ...owner });
      }
      isNew = false;
      const mariadb = spawnProcess(
        'mariadbd',
        programs.server,
        [...server, `--init-file=${setupFile}`],
        env,
        owner,
      );
      await mariadb.answers(async () => {
        const connection = await createConnection({ uri: url, connectTimeout: 1_000 });
        await connection.end();
      });
      return mariadb;
    },
  });
}
