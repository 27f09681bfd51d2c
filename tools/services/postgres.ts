import { execFileSync } from 'node:child_process';
import { chown, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { spawnProcess, type Child } from './child.ts';
import { findPostgres } from './find.ts';
import { freePort } from './free-port.ts';
import { runService, temporaryFolder, unprivileged, type Service } from './service.ts';

const user = 'event_tracker';
const password = 'password';

/** Starts a PostgreSQL of one's own with a database `activity_db`; commits reach the disk as they do by default. */
export async function startPostgres(): Promise<Service> {
  const programs = findPostgres();
  const port = await freePort();
  const folder = await temporaryFolder('postgres');
  const data = path.join(folder, 'data');
  const passwordFile = path.join(folder, 'password');
  await writeFile(passwordFile, password);
  // PostgreSQL does not run as root.
  const owner = unprivileged();
  if (owner) for (const file of [folder, passwordFile]) await chown(file, owner.uid, owner.gid);
  const env = { PATH: process.env.PATH, LC_ALL: 'C' };
  const url = `postgres://${user}:${password}@127.0.0.1:${String(port)}`;
  const server = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-c', 'unix_socket_directories='];
  let isNew = true;
  return runService({
    url,
    folder,
    start: async () => {
      if (isNew) {
        const make = ['-D', data, '-U', user, '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8'];
        // What is synchronised here is only the empty cluster.
        execFileSync(programs.initdb, [...make, '--no-sync'], { env, stdio: 'pipe', cwd: folder, ...owner });
      }
      const postgres = withFamily(spawnProcess('postgres', programs.postgres, server, env, owner));
      await postgres.answers(() => query(`${url}/postgres`, 'select 1'));
      if (isNew) await query(`${url}/postgres`, 'create database activity_db');
      isNew = false;
      return postgres;
    },
  });
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Each connection has a process and each process a group of its own: what stops or ends one has to reach them all. */
function withFamily(child: Child): Child {
  const signalFamily = (name: NodeJS.Signals) => {
    child.signal(name);
    for (const pid of childrenOf(child.pid)) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended meanwhile.
      }
    }
  };
  return {
    ...child,
    signal: signalFamily,
    async stop() {
      signalFamily('SIGCONT');
      // SIGTERM alone would wait for every client to go.
      child.signal('SIGINT');
      await child.stop();
    },
    async kill() {
      signalFamily('SIGKILL');
      await child.kill();
    },
  };
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
  return lines
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, of]) => (pid && of === parent ? [pid] : []));
}
