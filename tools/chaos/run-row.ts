import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../random.ts';
import { back, degraded, type Scene, type Seen, until } from './breaking.ts';
import { compare, type Comparison } from './compare.ts';
import { openSmallDisk } from './disk.ts';
import { type Load, startLoad } from './load.ts';
import { type LatePart, type Row } from './matrix.ts';
import { type Options } from './options.ts';
import { createStack, isQueueEmpty, type Servers, type Stack } from './stack.ts';

/** What a row has to show, and what is judged. */
export interface Observed extends Seen {
  load: Load;
  compared: Comparison;
  /** False when events were still waiting after all parts had been back for a long time. */
  drained: boolean;
  /** Programs that ended without having been killed. */
  ended: readonly string[];
  /** Longest time for which this process itself, which is the client, stood still. */
  clientStallMs: number;
}

const READY_TIMEOUT_MS = 60_000;
const DRAIN_TIMEOUT_MS = 120_000;
/** A broker that nobody uses any more answers by then. */
const ANSWER_TIMEOUT_MS = 10_000;
const WARM_UP_ACCEPTED = 100;
const TAIL_MS = 1000;

export type Progress = (text: string) => void;

/** Runs a row on the servers, with programs, a queue and a database of its own. */
export async function runRow(
  row: Row,
  servers: Servers,
  options: Options,
  progress: Progress,
): Promise<Observed> {
  const disk = row.fault === 'full' ? await openSmallDisk() : undefined;
  const stack = await createStack(servers, {
    name: `chaos_${row.target}_${row.fault}`,
    database: disk?.database ?? servers.database,
    heartbeatS: options.quick ? 2 : 10,
    mutant: options.mutant,
  });
  try {
    progress('starting');
    await start(stack, row.late?.part);
    return await observe(row, { stack, disk }, options, progress);
  } finally {
    await stack.mend();
    await stack.stop();
    await disk?.remove();
  }
}

async function start(stack: Stack, late: LatePart | undefined): Promise<void> {
  if (late === 'broker' || late === 'database' || late === 'redis') await stack[late].kill();
  if (late !== 'api') await stack.startApis();
  if (late !== 'worker') await stack.startWorkers();
  // A start before the part that is late can only be alive.
  const programs = late === undefined || late === 'redis' ? [...stack.apis, ...stack.workers] : [];
  for (const program of programs) {
    if (!(await until(() => program.isReady(), READY_TIMEOUT_MS)))
      throw new Error(`${program.name} is not ready`);
  }
}

async function observe(
  row: Row,
  { stack, disk }: Pick<Scene, 'stack' | 'disk'>,
  options: Options,
  progress: Progress,
): Promise<Observed> {
  const { rate, seed, events } = options;
  const { payloadChars } = row;
  const load = startLoad({ urls: stack.urls, rate, seed, ...(payloadChars && { payloadChars }) });
  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const seen: Seen = { faults: 0, degraded: 0, backMs: [] };
  const scene: Scene = { stack, load, random: createRandom(seed + 1), seen, disk };
  const showing = setInterval(
    () => progress(`${seen.faults} faults, ${load.ledger.size} sent, ${load.accepted()} times 202`),
    500,
  );
  try {
    if (row.late) await startLate(scene, row.late.part, row.late.ms);
    // A fault has to meet events that are under way.
    else await until(() => Promise.resolve(load.accepted() >= WARM_UP_ACCEPTED), READY_TIMEOUT_MS);
    await row.run(scene);
    await until(() => Promise.resolve(load.ledger.size >= events), (events / rate) * 3000);
    await delay(TAIL_MS);
  } finally {
    clearInterval(showing);
    await load.stop();
    stalls.disable();
  }
  progress('draining');
  await stack.mend();
  // Nothing is published any more once they have ended.
  await Promise.all(stack.apis.map((api) => api.stop()));
  const isEmpty = () => isQueueEmpty(stack);
  const emptied = await until(isEmpty, DRAIN_TIMEOUT_MS);
  // What a worker still had in hand would wait again.
  await Promise.all(stack.workers.map((worker) => worker.stop()));
  const drained = emptied && (await until(isEmpty, ANSWER_TIMEOUT_MS));
  const compared = await compare(load.ledger, stack.store);
  return { ...seen, load, compared, drained, ended: stack.ended, clientStallMs: stalls.max / 1e6 };
}

async function startLate(scene: Scene, late: LatePart, ms: number): Promise<void> {
  const { stack, seen } = scene;
  seen.faults += 1;
  const waited = delay(ms);
  if (late === 'redis') await degraded(scene);
  await waited;
  if (late === 'api') await stack.startApis();
  else if (late === 'worker') await stack.startWorkers();
  else await stack[late].restart();
  await back(scene);
}
