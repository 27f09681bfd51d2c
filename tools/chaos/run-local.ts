import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { readMongodb } from '../pairs.ts';
import { descendants, type Program, root, run } from '../programs.ts';
import { createRandom } from '../random.ts';
import { freePort } from '../services/free-port.ts';
import { temporaryFolder } from '../services/service.ts';
import { until } from './breaking.ts';
import { compare } from './compare.ts';
import { startLoad } from './load.ts';
import { type Options } from './options.ts';
import { type Observed, type Progress } from './run-row.ts';

const LOAD_MAX_MS = 1500;
const BACK_TIMEOUT_MS = 30_000;
const DRAIN_TIMEOUT_MS = 120_000;

/** Kills all of `npm start` at once, again and again: the engine, the API, the worker and what started them. */
export async function runLocal(options: Options, progress: Progress): Promise<Observed> {
  const { kills, rate, seed, events } = options;
  const settings = {
    DATA_FOLDER: await temporaryFolder('local'),
    API_PORT: String(await freePort()),
    CONSUMER_PORT: String(await freePort()),
    RATE_LIMIT_MAX_REQUESTS: '100000000',
  };
  const random = createRandom(seed + 1);
  const urls = [`http://127.0.0.1:${settings.API_PORT}/api/v1/activities`];
  const seen = { faults: 0, degraded: 0, backMs: [] as number[] };
  progress('starting');
  let program = await startAll(settings);
  const load = startLoad({ urls, rate, seed });
  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  try {
    while (seen.faults < kills) {
      await delay(random.integer(200, LOAD_MAX_MS));
      await program.killAll();
      seen.faults += 1;
      progress(`${seen.faults} faults, ${load.ledger.size} sent, ${load.accepted()} times 202`);
      program = await startAll(settings);
      const since = performance.now();
      await until(() => Promise.resolve(load.nextAcceptedMs(since) !== undefined), BACK_TIMEOUT_MS, 20);
      seen.backMs.push(load.nextAcceptedMs(since) ?? Infinity);
    }
    await until(() => Promise.resolve(load.ledger.size >= events), (events / rate) * 3000);
  } finally {
    await load.stop();
    stalls.disable();
    if (seen.faults < kills) await program.killAll();
  }
  progress('draining');
  const client = new MongoClient(engineUrl(program));
  try {
    const queue = client.db('activity_queue').collection('user_activities');
    const drained = await until(async () => (await queue.countDocuments()) === 0, DRAIN_TIMEOUT_MS);
    const compared = await compare(load.ledger, readMongodb(client.db('activity_db')));
    return { ...seen, load, compared, drained, ended: [], clientStallMs: stalls.max / 1e6 };
  } finally {
    await client.close();
    await program.stop();
  }
}

/** What `npm start` runs; resolves when it says that events can be sent. */
async function startAll(settings: Record<string, string>): Promise<Program> {
  const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  const program = run('sh', ['-c', `exec ${scripts.start}`], settings);
  await program.printed(/Ctrl-C/);
  return program;
}

/** The engine's address, from its command line. */
function engineUrl(program: Program): string {
  const engine = descendants(program.pid).find(({ command }) => command.includes('--dbpath'));
  const [, port = ''] = /--port (\d+)/.exec(engine?.command ?? '') ?? [];
  return `mongodb://127.0.0.1:${port}`;
}
