import { spawn, type ChildProcessByStdio } from 'node:child_process';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** A started program in a process group of its own, so that Ctrl-C in a terminal does not reach it. */
export interface Child {
  readonly pid: number;
  /** Resolves when the program has ended, in whatever way. */
  readonly ended: Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Resolves when the program has printed this; rejects with its last words when it ends before, or is not in time. */
  printed(pattern: RegExp): Promise<void>;
  /** Resolves when `probe` does without an error; rejects with the program's last words when it ends before. */
  answers(probe: () => Promise<unknown>): Promise<void>;
  /** Asks with SIGTERM; what is left of the group after ten seconds is killed. */
  stop(): Promise<void>;
  /** SIGKILL to the program and to whatever it has started. */
  kill(): Promise<void>;
}

const outputCharsMax = 8_000;
const readyTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;

export function spawnProcess(
  name: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
  owner?: { uid: number; gid: number },
): Child {
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'], ...owner });
  const { pid } = child;
  if (pid !== undefined) tellGuard('group', pid);
  const life = follow(name, child);
  const lastWords = () => {
    const lines = life
      .output()
      .trim()
      .split(/\s*\n\s*/);
    return new Error(lines.slice(-5).join('; '));
  };
  const kill = async () => {
    if (pid !== undefined && !life.isOver()) killGroup(pid);
    await life.ended;
  };
  return {
    pid: pid ?? -1,
    ended: life.ended,
    signal: (signal) => void (life.isOver() || child.kill(signal)),
    async printed(pattern) {
      const seen = new Promise<void>((resolve, reject) => {
        life.onNews(() => {
          if (pattern.test(life.output())) resolve();
          else if (life.isOver()) reject(lastWords());
        });
      });
      const timer = setTimeout(() => void kill(), readyTimeoutMs);
      await seen.finally(() => clearTimeout(timer));
    },
    async answers(probe) {
      for (const deadline = Date.now() + readyTimeoutMs; Date.now() < deadline; await delay(50)) {
        if (life.isOver()) throw lastWords();
        try {
          return void (await probe());
        } catch {
          // Not yet: the program is still starting.
        }
      }
      await kill();
      throw new Error(
        `${name} did not answer within ${String(readyTimeoutMs / 1000)} s: ${lastWords().message}`,
      );
    },
    async stop() {
      if (life.isOver()) return;
      child.kill('SIGTERM');
      child.kill('SIGCONT');
      await Promise.race([life.ended, delay(stopTimeoutMs, undefined, { ref: false })]);
      await kill();
    },
    kill,
  };
}

/** Keeps the end of what a program prints, which is what an error is explained with, and notices its end. */
function follow(name: string, child: ChildProcessByStdio<null, Readable, Readable>) {
  let output = '';
  let over = false;
  let tell: () => void = () => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-outputCharsMax);
      tell();
    });
  }
  const ended = new Promise<void>((resolve) => {
    const end = (how: string) => {
      if (over) return;
      over = true;
      output += `\n${name} ${how}`;
      if (child.pid !== undefined) {
        killGroup(child.pid);
        tellGuard('ended', child.pid);
      }
      tell();
      resolve();
    };
    child.once('error', (error) => end(`did not start: ${error.message}`));
    child.once('exit', (code, signal) => {
      const how = `ended with ${signal ?? `code ${String(code)}`}`;
      // Its last words come before `close`, which a daemon that has inherited the pipe would hold up for ever.
      child.once('close', () => end(how));
      setTimeout(() => end(how), 500).unref();
    });
  });
  return {
    ended,
    output: () => output,
    isOver: () => over,
    onNews(listener: () => void) {
      tell = listener;
      listener();
    },
  };
}

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

let guard: ReturnType<typeof startGuard> | undefined;

function startGuard() {
  const child = spawn('/bin/sh', [path.join(__dirname, 'guard.sh')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // The guard lives as long as this process and must not be what keeps it alive.
  child.unref();
  // Somebody who ends the guard by hand only loses the cleaning up.
  child.stdin.on('error', () => undefined);
  (child.stdin as unknown as { unref(): void }).unref();
  return child.stdin;
}

/** Tells the process that cleans up after this one, should this one be killed, what there is to clean up. */
export function tellGuard(verb: 'group' | 'ended' | 'folder', value: string | number): void {
  guard ??= startGuard();
  guard.write(`${verb} ${String(value)}\n`);
}
