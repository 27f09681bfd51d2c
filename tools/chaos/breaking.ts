import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'amqplib';
import { type Random } from '../random.ts';
import { type Rabbitmq } from '../services/rabbitmq.ts';
import { HELD_BACK_MS } from './compare.ts';
import { type SmallDisk } from './disk.ts';
import { type Load } from './load.ts';
import { type Part } from './part.ts';
import { type Program } from './programs.ts';
import { type Stack } from './stack.ts';

/** What a row breaks, and where it notes what it saw of it. */
export interface Scene {
  stack: Stack;
  load: Load;
  random: Random;
  seen: Seen;
  /** Of the row that fills it. */
  disk: SmallDisk | undefined;
}

export interface Seen {
  faults: number;
  /** Faults during which the API said that it counts on its own. */
  degraded: number;
  /** After each fault, time from the part being back to the next 202. */
  backMs: number[];
}

const STEADY_TIMEOUT_MS = 60_000;
const DEGRADED_TIMEOUT_MS = 3000;
/** A broker that is away is noticed by a client by then. */
const SEEN_TIMEOUT_MS = 10_000;
/** The longest pause between two faults, and the longest that a killed part stays away. */
const PAUSE_MAX_MS = 1200;
const AWAY_MAX_MS = 500;
/** Longer than it takes to fill the writes in flight: a database may still do what it was sent before the kill. */
const HOLD_MS = 1000;

/** SIGKILLs one of the parts again and again; the next time when the system takes events again. */
export async function killAgain(scene: Scene, kills: number, parts: () => Part[]): Promise<void> {
  const { random, seen } = scene;
  for (let kill = 0; kill < kills; kill += 1) {
    await delay(random.integer(100, PAUSE_MAX_MS));
    await killOnce(scene, random.pick(parts()));
    seen.faults += 1;
  }
}

async function killOnce(scene: Scene, part: Part): Promise<void> {
  const { stack, random, seen } = scene;
  const isWorker = stack.workers.some((worker) => worker === part);
  if (isWorker && seen.faults % 2 === 0) {
    // While the database stands still, a worker holds messages whose events are not written: it dies with them.
    stack.database.pause();
    await delay(HOLD_MS);
  }
  const failedBefore = failures(scene);
  await part.kill();
  if (isWorker) stack.database.resume();
  if (part === stack.redis) await degraded(scene);
  else if (part === stack.database) await heldBack(scene);
  else await delay(random.integer(0, AWAY_MAX_MS));
  if (part === stack.broker)
    await until(() => Promise.resolve(failures(scene) > failedBefore), SEEN_TIMEOUT_MS, 20);
  await part.restart();
  await back(scene);
  await ready(scene, part);
}

/** Holds a part with SIGSTOP for a time. */
export async function hold(scene: Scene, part: Part, ms: number): Promise<void> {
  scene.seen.faults += 1;
  part.pause();
  const held = delay(ms);
  if (part === scene.stack.redis) await degraded(scene);
  await held;
  part.resume();
  await back(scene);
}

/** Kills a part and starts it again after a time. */
export async function leaveAway(scene: Scene, part: Part, ms: number): Promise<void> {
  scene.seen.faults += 1;
  await part.kill();
  await delay(ms);
  await part.restart();
  await back(scene);
}

/** The broker's disk alarm: it blocks the connections that publish. */
export async function raiseAlarm(scene: Scene, ms: number): Promise<void> {
  const service = scene.stack.broker.service as Rabbitmq;
  scene.seen.faults += 1;
  await service.ctl('set_disk_free_limit', '1000000GB');
  await delay(ms);
  await service.ctl('set_disk_free_limit', '50MB');
  await back(scene);
}

/**
 * Deletes the queue under load, at a moment in which nothing waits in it: that would be gone with the queue. What a
 * worker holds of it must not be lost, nor what arrives while it is being deleted, which RabbitMQ confirms all the same.
 */
export async function deleteQueue(scene: Scene, times: number): Promise<void> {
  const { stack, random, seen } = scene;
  for (let time = 0; time < times; time += 1) {
    await delay(random.integer(500, 1500));
    const connection = await connect(stack.broker.service.url);
    connection.on('error', () => undefined);
    const isDeleted = await until(() => deletedWhileEmpty(connection, stack.queueName), STEADY_TIMEOUT_MS, 5);
    if (!isDeleted) throw new Error('the queue was never empty and could not be deleted');
    seen.faults += 1;
    await back(scene);
    await connection.close();
  }
}

async function deletedWhileEmpty(
  connection: Awaited<ReturnType<typeof connect>>,
  name: string,
): Promise<boolean> {
  const channel = await connection.createChannel();
  // The broker closes the channel on which it refuses.
  channel.on('error', () => undefined);
  try {
    await channel.deleteQueue(name, { ifEmpty: true });
    await channel.close();
    return true;
  } catch {
    return false;
  }
}

/** Notes how long it takes from now to the next 202. */
export async function back({ load, seen }: Scene): Promise<void> {
  const since = performance.now();
  for (const deadline = since + STEADY_TIMEOUT_MS; performance.now() < deadline; await delay(20)) {
    const ms = load.nextAcceptedMs(since);
    if (ms !== undefined) return void seen.backMs.push(ms);
  }
  seen.backMs.push(Infinity);
}

/** Of two of a kind, the next one is broken only when the other one works. */
async function ready({ stack }: Scene, part: Part): Promise<void> {
  const program = [...stack.apis, ...stack.workers].find((one: Program) => one === part);
  if (program) await until(() => program.isReady(), STEADY_TIMEOUT_MS);
}

/** Waits until an API says that it counts on its own: proof that the fault has reached it. */
export async function degraded({ stack, seen }: Scene): Promise<void> {
  const isDegraded = async () =>
    (await Promise.all(stack.apis.map((api) => api.checks()))).some(
      ({ rateLimit }) => rateLimit === 'degraded',
    );
  if (await until(isDegraded, DEGRADED_TIMEOUT_MS)) seen.degraded += 1;
}

/** Requests that were not accepted. */
function failures({ load }: Scene): number {
  return load.refused + load.unanswered;
}

/** Waits until events have waited for the database long enough to be seen among those that are stored. */
async function heldBack({ load }: Scene): Promise<void> {
  const since = performance.now();
  await until(() => Promise.resolve(load.nextAcceptedMs(since) !== undefined), STEADY_TIMEOUT_MS);
  // A write that was under way when it was killed is tried again for some of the time, and others come behind it.
  await delay(2 * HELD_BACK_MS);
}

/** Whether the condition came true in time. */
export async function until(
  condition: () => Promise<boolean>,
  timeoutMs: number,
  intervalMs = 100,
): Promise<boolean> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await delay(intervalMs)) {
    if (await condition()) return true;
  }
  return false;
}
