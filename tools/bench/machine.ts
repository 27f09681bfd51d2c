import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type MongoClient } from 'mongodb';
import { descendants, root } from '../programs.ts';
import { findRedis } from '../services/find.ts';
import { type Rabbitmq } from '../services/rabbitmq.ts';

/** Of /proc, in every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process in ticks, and that of children that have ended and been waited for. */
function ticksOf(pid: number): { own: number; ended: number } {
  try {
    const [, text = ''] = /\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = text.split(' ').slice(11, 15).map(Number);
    return { own: user + system, ended: endedUser + endedSystem };
  } catch {
    // It has ended meanwhile.
    return { own: 0, ended: 0 };
  }
}

const family = (pid: number) => [pid, ...descendants(pid).map((child) => child.pid)];

/** CPU time in seconds that a process and what it has started have used so far; NaN where the system does not tell. */
export function cpuSeconds(pid: number): number {
  if (process.platform !== 'linux') return NaN;
  return family(pid).reduce((sum, one) => sum + ticksOf(one).own, 0) / TICKS_PER_SECOND;
}

/**
 * From now until the function that it returns is called, the share of the machine's CPU time that processes used which
 * are not of this bench, or that a hypervisor gave to others: with much of it, figures are not worth much.
 */
export function watchOthers(): () => number {
  if (process.platform !== 'linux') return () => NaN;
  const read = () => {
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, stolen = 0] =
      /^cpu +(.*)/.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
    const busy = user + nice + system + irq + softIrq + stolen;
    const ours = family(process.pid).reduce((sum, one) => sum + ticksOf(one).own + ticksOf(one).ended, 0);
    return { all: busy + idle + wait, others: busy - ours };
  };
  const before = read();
  return () => {
    const now = read();
    return Math.max(0, now.others - before.others) / (now.all - before.all);
  };
}

/** The most memory that a process has ever held, in MB. */
export function peakRssMb(pid: number): number {
  if (process.platform !== 'linux') return NaN;
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** The name of the processor, which each section tells: ratios, too, move with it. */
export function processor(): string {
  return os.cpus()[0]?.model.trim() ?? 'a processor without a name';
}

/** Lines that say what it was measured on and with. */
export async function describeMachine(rabbitmq: Rabbitmq, client: MongoClient): Promise<string[]> {
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  const redis = execFileSync(findRedis(), ['--version'], { encoding: 'utf8' });
  const parts = [
    `Node.js ${process.versions.node}`,
    `RabbitMQ ${(await rabbitmq.ctl('version')).trim()}`,
    `Redis ${/v=(\S+)/.exec(redis)?.[1] ?? ''}`,
    `MongoDB engine ${String(version)}`,
  ];
  const libraries = [
    'express',
    'express-rate-limit',
    'rate-limit-redis',
    'ioredis',
    'joi',
    'helmet',
    'amqplib',
    'mongoose',
    'mongodb',
  ];
  return [
    `- Machine: ${os.type()} ${process.arch}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB; shared by everything that was measured and by the load generator`,
    `- Versions: ${parts.join(', ')}`,
    `- Libraries: ${libraries.map((name) => `${name} ${versionOf(name)}`).join(', ')}`,
  ];
}

function versionOf(library: string): string {
  const file = path.join(root, 'node_modules', library, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
