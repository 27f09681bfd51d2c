/**
 * `npm start`: the whole system on one machine, with nothing to install. It starts the MongoDB engine and then the
 * very programs that run in production, the API and the worker, with their queue and their store on that engine.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startMongod } from '../tools/mongod/start.ts';
import { type Service } from '../tools/services/service.ts';
import { buildDashboard, dashboardIsStale } from './dashboard.ts';

const root = path.join(__dirname, '..');
const dataFolder = process.env.DATA_FOLDER || path.join(root, '.data');
/** The engine of a run that was killed may need this long to let go of the data folder. */
const LOCK_TIMEOUT_MS = 5000;
/** A program that is not ready by then has failed. */
const READY_TIMEOUT_MS = 30_000;

let engine: Service | undefined;
const programs: ChildProcess[] = [];

async function start(): Promise<void> {
  console.log('Event Tracker, everything on this machine');
  const urls = await databaseUrls();
  const environment = { LOG_LEVEL: 'warn', ...process.env, ...urls };
  await step('Worker', () => startProgram('consumer/worker.ts', environment));
  if (dashboardIsStale()) await step('Dashboard', buildDashboard);
  const port = await step('API', () => startProgram('api/server.ts', environment));
  const url = `http://localhost:${port}/api/v1/activities`;
  console.log(`
The dashboard is at http://localhost:${port}/

Send an event to ${url}, for example:

  curl -i ${url} \\
    -H 'Content-Type: application/json' \\
    -d '{"userId":"user-1","eventType":"page_view","timestamp":"${new Date().toISOString()}","payload":{"page":"/"}}'

and read it back:

  curl '${url}?userId=user-1'

${urls.STORE_URL ? `The database is ${urls.STORE_URL}, collection activities.\n` : ''}The data stays in ${path.relative('', dataFolder)}/ when you stop with Ctrl-C.`);
}

/**
 * Where queue and store are: on a database that the environment names, otherwise on an engine of our own. The queue is
 * there too where the database is no MongoDB.
 */
async function databaseUrls(): Promise<Record<string, string>> {
  const { QUEUE_URL, RABBITMQ_URL, STORE_URL, DATABASE_URL } = process.env;
  const given = STORE_URL || DATABASE_URL;
  if (given && (QUEUE_URL || RABBITMQ_URL)) return {};
  const isMongodb = given?.startsWith('mongodb') ?? true;
  if (given && isMongodb) return { QUEUE_URL: given };
  await step('MongoDB engine', async () => {
    engine = await openEngine(Date.now() + LOCK_TIMEOUT_MS);
  });
  const url = engine?.url ?? '';
  const queue = { QUEUE_URL: QUEUE_URL || RABBITMQ_URL || `${url}/activity_queue` };
  return given ? queue : { STORE_URL: `${url}/activity_db`, ...queue };
}

async function openEngine(deadline: number): Promise<Service> {
  try {
    return await startMongod({ dbpath: path.join(dataFolder, 'mongodb') });
  } catch (error) {
    const [, reason] = /mongod: ([^\n]+?)(?:; mongod ended.*)?$/m.exec((error as Error).message) ?? [];
    const locked = reason?.includes('is in use by') ?? false;
    if (!locked || Date.now() > deadline)
      throw new Error((reason ?? (error as Error).message).replace('--dbpath', 'DATA_FOLDER'), {
        cause: error,
      });
    await delay(200);
    return openEngine(deadline);
  }
}

/** Starts one of our programs and resolves to its port when it is ready. What goes wrong in it, it says itself. */
async function startProgram(file: string, environment: NodeJS.ProcessEnv): Promise<number> {
  const program = fork(path.join(root, file), {
    cwd: root,
    env: environment,
    execArgv: ['--import', 'tsx', '--conditions=source'],
    // In a process group of its own Ctrl-C does not reach it; when this process dies, it sees the IPC channel close.
    detached: true,
  });
  programs.push(program);
  program.once('exit', () => void stop(1));
  const deadline = Date.now() + READY_TIMEOUT_MS;
  const [{ port }] = (await once(program, 'message')) as [{ port: number }];
  while (!(await isReady(port))) {
    if (Date.now() > deadline) throw new Error(`${file} was not ready within ${READY_TIMEOUT_MS / 1000} s.`);
    await delay(50);
  }
  return port;
}

async function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  if (process.stdout.isTTY) process.stdout.write(`  … ${name}\r`);
  const result = await run();
  console.log(`  ✓ ${name.padEnd(16)}${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  return result;
}

let stopping: Promise<void> | undefined;

/** API first, so that nothing more comes in; the engine last, when nobody writes any more. */
function stop(code: number): Promise<void> {
  return (stopping ??= (async () => {
    for (const program of programs.toReversed()) {
      program.removeAllListeners('exit');
      if (program.exitCode !== null || program.signalCode !== null) continue;
      program.kill('SIGTERM');
      await once(program, 'exit');
    }
    await engine?.stop();
    process.exit(code);
  })());
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stopping) console.log('\nStopping: finishing what is in flight ...');
    void stop(0);
  });
}

start().catch((error: unknown) => {
  if (!stopping) console.error(`npm start: ${(error as Error).message}`);
  void stop(1);
});
