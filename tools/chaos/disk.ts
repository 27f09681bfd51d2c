import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startMongod } from '../mongod/start.ts';
import { temporaryFolder } from '../services/service.ts';
import { back, type Scene, until } from './breaking.ts';
import { createPart, type Part } from './part.ts';

/** A row that cannot be run on this machine; its message says why. */
export class NotRun extends Error {
  override name = 'NotRun';
}

/** A database on a disk of its own. */
export interface SmallDisk {
  database: Part;
  /** Leaves no byte free, until `free`. */
  fill(): Promise<void>;
  free(): Promise<void>;
  /** Ends the database and takes the disk away. */
  remove(): Promise<void>;
}

const run = promisify(execFile);
/** The engine builds no index with less than 500 MB free. */
const DISK_MB = 768;
const FULL_MS = 5000;
const STARTS_IN_VAIN = 3;
/** The engine notices a full disk when its journal needs another file. */
const NOTICE_TIMEOUT_MS = 30_000;
const CHUNK = Buffer.alloc(1024 * 1024);

/** Starts a database on a small file system in memory, which only root may mount. */
export async function openSmallDisk(): Promise<SmallDisk> {
  const folder = await temporaryFolder('disk');
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'event-tracker-chaos', folder]);
  } catch {
    throw new NotRun('a small tmpfs cannot be mounted here; only root may');
  }
  const ballast = path.join(folder, 'ballast');
  const unmount = async () => {
    await run('umount', ['-l', folder]).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const service = await startMongod({ dbpath: path.join(folder, 'db') });
    return {
      database: createPart('database', service),
      fill: () => fill(ballast),
      free: () => rm(ballast, { force: true }),
      async remove() {
        await service.stop();
        await unmount();
      },
    };
  } catch (error) {
    await unmount();
    throw error;
  }
}

async function fill(file: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    for (let written = 0; written < DISK_MB; written += 1) await handle.appendFile(CHUNK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Fills the database's disk until the database ends, starts it in vain while the disk is full, as a supervisor would,
 * and makes room again.
 */
export async function fillDisk(scene: Scene): Promise<void> {
  const { disk, stack, seen } = scene;
  if (!disk) throw new Error('the database has no disk of its own');
  const { database } = stack;
  seen.faults += 1;
  await disk.fill();
  // A server that refuses to write instead of ending is as good.
  await until(() => Promise.resolve(!isRunning(database.service.pid)), NOTICE_TIMEOUT_MS);
  await database.kill();
  for (let start = 0; start < STARTS_IN_VAIN; start += 1) {
    await database.restart().catch(() => undefined);
    await delay(FULL_MS / STARTS_IN_VAIN);
  }
  await disk.free();
  await database.restart();
  await back(scene);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
