import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** The first executable file of that name on the PATH, or in one of the further folders. */
export function onPath(name: string, furtherFolders: string[] = []): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), ...furtherFolders];
  return folders
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
}

/** What was fetched once and is kept for later runs. */
export function cacheFolder(): string {
  const set = process.env.XDG_CACHE_HOME;
  const base = set !== undefined && path.isAbsolute(set) ? set : path.join(os.homedir(), '.cache');
  return path.join(base, 'event-tracker');
}

export const install = 'npm run services:install';

export interface RabbitmqPrograms {
  server: string;
  ctl: string;
  epmd: string;
}

/**
 * RabbitMQ's own scripts. The packages of Debian and Red Hat put wrappers on the PATH that insist on being
 * the user `rabbitmq`; the scripts behind them run as anybody.
 */
export function findRabbitmq(): RabbitmqPrograms {
  const packaged = '/usr/lib/rabbitmq/bin';
  const find = (name: string) =>
    isExecutable(path.join(packaged, name)) ? path.join(packaged, name) : onPath(name);
  const server = find('rabbitmq-server');
  const ctl = find('rabbitmqctl');
  const epmd = onPath('epmd', ['/usr/lib/erlang/bin', '/usr/local/lib/erlang/bin', '/opt/homebrew/bin']);
  if (server === undefined || ctl === undefined || epmd === undefined) {
    throw new Error(`RabbitMQ (rabbitmq-server, rabbitmqctl, epmd) is not installed: ${install}`);
  }
  return { server, ctl, epmd };
}

export function findRedis(): string {
  const server = onPath('redis-server', ['/usr/sbin', '/usr/local/sbin']);
  if (server === undefined) throw new Error(`Redis (redis-server) is not installed: ${install}`);
  return server;
}

export interface PostgresPrograms {
  postgres: string;
  initdb: string;
}

/** Debian keeps the programs of each version in a folder of their own, off the PATH; the newest is taken. */
export function findPostgres(): PostgresPrograms {
  const packaged = '/usr/lib/postgresql';
  const versions = existsSync(packaged) ? readdirSync(packaged) : [];
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((name) => path.join(packaged, name, 'bin'));
  const postgres = onPath('postgres', [...folders, '/opt/homebrew/bin']);
  const initdb = path.join(path.dirname(postgres ?? ''), 'initdb');
  if (postgres === undefined || !isExecutable(initdb)) {
    throw new Error(`PostgreSQL (postgres, initdb) is not installed: ${install}`);
  }
  return { postgres, initdb };
}

export interface MariadbPrograms {
  server: string;
  installDb: string;
}

export function findMariadb(): MariadbPrograms {
  const server = onPath('mariadbd', ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin']);
  const installDb = onPath('mariadb-install-db', ['/opt/homebrew/bin']);
  // The second needs the third.
  const defaults = onPath('my_print_defaults', ['/opt/homebrew/bin']);
  if (server === undefined || installDb === undefined || defaults === undefined) {
    throw new Error(`MariaDB (mariadbd, mariadb-install-db, my_print_defaults) is not installed: ${install}`);
  }
  return { server, installDb };
}

export function findChromium(): string {
  const program = onPath('chromium') ?? onPath('chromium-browser') ?? onPath('google-chrome');
  if (program === undefined) throw new Error(`Chromium is not installed: ${install}`);
  return program;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
