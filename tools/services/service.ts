import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { tellGuard, type Child } from './child.ts';

/** A server of one's own on a free port of 127.0.0.1, that can be made to fail. It does not outlive this process. */
export interface Service {
  readonly url: string;
  /** The process that serves; another one after `restart`. */
  readonly pid: number;
  /** Ends it in order and removes its temporary folder; it does not come back. */
  stop(): Promise<void>;
  /** SIGKILL: whatever was not on disk is lost. */
  kill(): Promise<void>;
  /** Starts it again with the same port and data: after `kill`, or having ended it in order. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
}

interface Program {
  url: string;
  /** Removed when the service is stopped. */
  folder: string | undefined;
  /** Resolves when the program is ready to serve. */
  start(): Promise<Child>;
  /** Ends what `start` needs beside the program. */
  after?: () => Promise<void>;
}

export async function runService(program: Program): Promise<Service> {
  const cleanUp = async () => {
    await program.after?.();
    if (program.folder !== undefined) await rm(program.folder, { recursive: true, force: true });
  };
  let child: Child;
  try {
    child = await program.start();
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return {
    url: program.url,
    get pid() {
      return child.pid;
    },
    async stop() {
      await child.stop();
      await cleanUp();
    },
    kill: () => child.kill(),
    async restart() {
      await child.stop();
      child = await program.start();
    },
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
  };
}

/** A folder that is removed even when this process is killed. */
export async function temporaryFolder(name: string): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `event-tracker-${name}-`));
  tellGuard('folder', folder);
  return folder;
}

/** Whom a database that refuses to run as root runs as, where this process is root: `nobody`. */
export function unprivileged(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
}
