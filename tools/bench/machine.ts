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

/** CPU time in seconds that a process and what it has started have used so far; NaN where the system does not tell. */
export function cpuSeconds(pid: number): number {
  if (process.platform !== 'linux') return NaN;
  const ticks = [pid, ...descendants(pid).map((child) => child.pid)].map((one) => {
    try {
      const [, text = ''] = /\) (.*)/.exec(readFileSync(`/proc/${one}/stat`, 'utf8')) ?? [];
      const fields = text.split(' ');
      return Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended meanwhile.
      return 0;
    }
  });
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}

/** The most memory that a process has ever held, in MB. */
export function peakRssMb(pid: number): number {
  if (process.platform !== 'linux') return NaN;
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
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
  const [cpu] = os.cpus();
  return [
    `- Machine: ${os.type()} ${process.arch}, ${os.cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${Math.round(os.totalmem() / 2 ** 30)} GiB; shared by everything that was measured and by the load generator`,
    `- Versions: ${parts.join(', ')}`,
    `- Libraries: ${libraries.map((name) => `${name} ${versionOf(name)}`).join(', ')}`,
  ];
}

function versionOf(library: string): string {
  const file = path.join(root, 'node_modules', library, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
