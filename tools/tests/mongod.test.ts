import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { MongoMemoryServer } from 'mongodb-memory-server';
import { sourcesFor } from '../mongod/apt-sources.ts';
import { embeddedCommand, mongodScript } from '../mongod/find.ts';
import { startMongod } from '../mongod/start.ts';
import { serve, type Engine } from '../mongod/wire.ts';
import { freePort } from '../services/free-port.ts';
import { describeWith, memoryServerOptions } from '../services/in-tests.ts';
import { temporaryFolder } from '../services/service.ts';

const run = promisify(execFile);
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('tests');
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs mongod's command line to its end, which for these is an error. */
async function failure(args: string[], env = process.env) {
  return run(mongodScript, args, { cwd: '/', env }).then(
    () => {
      throw new Error('it ended without an error');
    },
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

describeWith('mongodb', 'mongod command line', () => {
  test('mongodb-memory-server starts on it, and documents come back', async () => {
    const server = await MongoMemoryServer.create(memoryServerOptions);
    const client = await new MongoClient(server.getUri()).connect();
    const events = client.db('test').collection('events');
    await events.createIndex({ eventId: 1 }, { unique: true });
    const big = 'x'.repeat(2_000_000);
    await events.insertMany([{ eventId: 'a' }, { eventId: 'b', big }]);
    await expect(events.insertOne({ eventId: 'a' })).rejects.toMatchObject({ code: 11_000 });
    expect(await events.findOne({ eventId: 'b' })).toMatchObject({ big });
    await client.close();
    expect(await server.stop()).toBe(true);
  });

  test('--version prints a version that mongodb-memory-server can read', async () => {
    const { stdout, stderr } = await run(mongodScript, ['--version'], { cwd: '/' });
    expect(stdout).toMatch(/^db version v\d+\.\d+\.\d+/);
    expect(stderr).toBe('');
  });

  test('a port that is taken is one clear line', async () => {
    const server = net.createServer().listen(await freePort(), '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const error = await failure(['--port', String(port), '--dbpath', path.join(folder, 'port')]);
    server.close();
    expect(error).toMatchObject({ code: 1, stdout: '' });
    expect(error.stderr).toMatch(/^mongod: port \d+ on 127\.0\.0\.1: address already in use; .*\n$/);
  });

  test('a data folder that another run has open is one clear line, and stays usable to that run', async () => {
    const dbpath = path.join(folder, 'locked');
    const mongod = await startMongod({ dbpath });
    const error = await failure(['--port', String(await freePort()), '--dbpath', dbpath]);
    expect(error).toMatchObject({ code: 1, stdout: '' });
    expect(error.stderr).toBe(
      `mongod: data folder ${dbpath} is in use by process ${String(mongod.pid)}: stop it or choose another --dbpath.\n`,
    );
    const client = await new MongoClient(mongod.url).connect();
    expect(await client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 });
    await client.close();
    await mongod.stop();
  });

  test('a data folder that cannot be written is one clear line', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    const error = await failure(['--port', String(await freePort()), '--dbpath', path.join(file, 'data')]);
    expect(error).toMatchObject({ code: 1, stdout: '' });
    expect(error.stderr).toMatch(/^mongod: data folder \S+ is not writable: [^\n]*\n$/);
  });

  test('what the engine cannot do is refused, not ignored', async () => {
    const error = await failure(['--port', '1', '--dbpath', folder, '--replSet', 'rs0']);
    expect(error.stderr).toMatch(/^mongod: the embedded engine does not support --replSet: [^\n]*\n$/);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends it in order: code 0, and everything is kept',
    async (signal) => {
      const dbpath = path.join(folder, signal);
      const port = String(await freePort());
      const mongod = spawn(mongodScript, [
        '--port',
        port,
        '--dbpath',
        dbpath,
        '--storageEngine',
        'wiredTiger',
        '--noauth',
      ]);
      await once(mongod.stdout, 'data');
      const client = await new MongoClient(`mongodb://127.0.0.1:${port}`).connect();
      await client
        .db('test')
        .collection('events')
        .insertMany(Array.from({ length: 5_000 }, (_, index) => ({ index })));
      mongod.kill(signal);
      expect(await once(mongod, 'exit')).toEqual([0, null]);
      await client.close();

      const again = await startMongod({ dbpath });
      const reader = await new MongoClient(again.url).connect();
      expect(await reader.db('test').collection('events').countDocuments()).toBe(5_000);
      await reader.close();
      await again.stop();
    },
  );

  test('it ends when the process at the other end of its IPC channel is gone', async () => {
    const { command, args } = await embeddedCommand();
    const options = ['--port', String(await freePort()), '--dbpath', path.join(folder, 'ipc')];
    const mongod = spawn(command, [...args, ...options], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    await once(mongod.stdout as NodeJS.ReadableStream & NodeJS.EventEmitter, 'data');
    mongod.disconnect();
    expect(await once(mongod, 'exit')).toEqual([0, null]);
  });

  test('SIGKILL under load loses nothing that was acknowledged with j: true', async () => {
    const mongod = await startMongod();
    const client = new MongoClient(mongod.url, { retryWrites: false, writeConcern: { w: 1, journal: true } });
    const events = client.db('test').collection<{ _id: number }>('events');
    const acknowledged: number[] = [];
    const enough = new Promise<void>((resolve) => {
      const insert = async (first: number) => {
        for (let _id = first; ; _id += 4) {
          await events.insertOne({ _id });
          if (acknowledged.push(_id) === 300) resolve();
        }
      };
      // Each ends with the connection.
      for (const first of [0, 1, 2, 3]) void insert(first).catch(() => undefined);
    });
    await enough;
    await mongod.kill();
    await client.close();

    await mongod.restart();
    const again = await new MongoClient(mongod.url).connect();
    const kept = await again.db('test').collection<{ _id: number }>('events').find().toArray();
    expect(kept.map(({ _id }) => _id)).toEqual(expect.arrayContaining(acknowledged));
    await again.close();
    await mongod.stop();
  });
});

test('a connection that is ended answers the command in flight, and takes no further one', async () => {
  const taken: Buffer[] = [];
  let finish: () => void = () => undefined;
  let begun: () => void = () => undefined;
  const inFlight = new Promise<void>((resolve) => (begun = resolve));
  const engine: Engine = {
    close: () => Promise.resolve(),
    roundTrip(message) {
      taken.push(message);
      begun();
      const requestId = message.readInt32LE(4);
      return new Promise((resolve) => {
        finish = () =>
          resolve({ requestId, moreToCome: false, legacy: false, response: Buffer.from('reply') });
      });
    },
  };
  let end: () => Promise<void> = () => Promise.resolve();
  const server = net.createServer((socket) => (end = serve(engine, socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const first = message(7, 'first');
  client.write(first.subarray(0, 3));
  await once(client, 'connect');
  client.write(Buffer.concat([first.subarray(3), message(8, 'second')]));
  await inFlight;

  const ended = end();
  finish();
  const received: Buffer[] = [];
  for await (const chunk of client) received.push(chunk as Buffer);
  await ended;
  server.close();
  const reply = Buffer.concat(received);
  expect(taken).toEqual([first]);
  expect([reply.readInt32LE(0), reply.readInt32LE(8)]).toEqual([reply.length, 7]);
  expect(reply.subarray(21).toString()).toBe('reply');
});

function message(requestId: number, body: string): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + body.length, 0);
  header.writeInt32LE(requestId, 4);
  return Buffer.concat([header, Buffer.from(body)]);
}

test('the archives that apt knows are read from both kinds of source files', async () => {
  const apt = path.join(folder, 'apt');
  await mkdir(path.join(apt, 'sources.list.d'), { recursive: true });
  await writeFile(
    path.join(apt, 'sources.list'),
    `# deb http://one.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/one.gpg] http://one.example/debian bookworm main contrib # ours
deb http://one.example/debian bookworm-updates main
deb-src http://one.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main\n`,
  );
  await writeFile(
    path.join(apt, 'sources.list.d', 'two.sources'),
    `# A comment
Types: deb deb-src
URIs: http://two.example/mirror
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://three.example/debian
Suites: bookworm
Components: main
Enabled: no\n`,
  );
  expect(await sourcesFor('bookworm', 'trixie', apt)).toEqual([
    'Types: deb\nURIs: http://one.example/debian\nSuites: trixie\nComponents: main\nTargets: Packages\nsigned-by: /keys/one.gpg\n',
    'Types: deb\nURIs: http://two.example/mirror\nSuites: trixie\nComponents: main\nTargets: Packages\nsigned-by: -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----\n',
  ]);
});
