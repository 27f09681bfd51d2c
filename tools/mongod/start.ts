import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { spawnProcess } from '../services/child.ts';
import { freePort } from '../services/free-port.ts';
import { runService, temporaryFolder, type Service } from '../services/service.ts';
import { mongodCommand } from './find.ts';

interface MongodOptions {
  /** The data folder, made if it is missing and kept; without it a temporary one that `stop` removes. */
  dbpath?: string;
  /** A free port without it. */
  port?: number;
  host?: string;
}

/** Starts a MongoDB server of one's own, a real mongod or the embedded engine; it does not outlive this process. */
export async function startMongod(options: MongodOptions = {}): Promise<Service> {
  const { command, args } = await mongodCommand();
  const port = options.port ?? (await freePort());
  const host = options.host ?? '127.0.0.1';
  const folder = options.dbpath === undefined ? await temporaryFolder('mongod') : undefined;
  const dbpath = path.resolve(folder ?? options.dbpath ?? '');
  await mkdir(dbpath, { recursive: true });
  return runService({
    url: `mongodb://${host}:${String(port)}`,
    folder,
    start: async () => {
      const mongod = spawnProcess('mongod', command, [
        ...args,
        ...['--port', String(port), '--dbpath', dbpath, '--bind_ip', host],
      ]);
      await mongod.printed(/waiting for connections/i);
      return mongod;
    },
  });
}
