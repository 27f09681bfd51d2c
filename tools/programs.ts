import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { apiVariables } from '../api/config.ts';
import { workerVariables } from '../consumer/config.ts';
import { tellGuard } from './services/child.ts';

export const root = path.join(__dirname, '..');
/** A program that is not ready by then never will be. */
const READY_TIMEOUT_MS = 60_000;

/** A started program in a process group of its own, which is gone at the latest when this process is. */
export interface Program {
  readonly pid: number;
  output(): string;
  errors(): string;
  /** Resolves to the match once standard output has it; rejects with what was printed when the program ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves to the exit code, null where a signal ended the program. */
  readonly ended: Promise<number | null>;
  /** Ctrl-C in a terminal: the signal goes to everything in the group. */
  interrupt(): void;
  /** SIGTERM to the program alone, as a supervisor sends it; resolves to the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL at once to the program and to everything that it or its children have started. */
  killAll(): Promise<void>;
}

export function run(command: string, args: readonly string[], environment: Record<string, string>): Program {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...cleanEnvironment(), ...environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? -1;
  if (pid === -1) throw new Error(`${command} cannot be started`);
  tellGuard('group', pid);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (texts[name] += text));
  }
  let over = false;
  const ended = once(child, 'close').then(([code]) => {
    over = true;
    tellGuard('ended', pid);
    return code as number | null;
  });

  return {
    pid,
    ended,
    output: () => texts.stdout,
    errors: () => texts.stderr,
    async printed(pattern) {
      for (const deadline = Date.now() + READY_TIMEOUT_MS; ; await delay(50)) {
        const match = pattern.exec(texts.stdout);
        if (match) return match;
        if (over || Date.now() > deadline) {
          throw new Error(
            `${args.join(' ')} did not print ${String(pattern)}: ${texts.stdout}${texts.stderr}`,
          );
        }
      }
    },
    interrupt: () => void process.kill(-pid, 'SIGINT'),
    stop() {
      if (!over) process.kill(pid, 'SIGTERM');
      return ended;
    },
    async killAll() {
      for (const { pid: one } of over ? [] : [...descendants(pid), { pid }]) {
        try {
          process.kill(one, 'SIGKILL');
        } catch {
          // It has ended by itself meanwhile.
        }
      }
      await ended;
    },
  };
}

/** One of our programs from its sources, as `node api/dist/server.js` would be from the build. */
export function runProgram(file: string, environment: Record<string, string>): Program {
  const args = ['--import', 'tsx', '--conditions=source', file];
  return run(process.execPath, args, { NODE_ENV: 'production', ...environment });
}

/** Resolves when the program answers 200 at this port; rejects with its output, and why not, when it has ended. */
export async function ready(program: Program, port: number, health = '/health/ready'): Promise<void> {
  let over = false;
  let last = '';
  void program.ended.then(() => (over = true));
  for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline && !over; await delay(100)) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}${health}`);
      if (answer.ok) return;
      last = String(answer.status);
    } catch (error) {
      last = String((error as Error).cause);
    }
  }
  throw new Error(`not ready at port ${port} (${last}): ${program.output()}${program.errors()}`);
}

interface Process {
  pid: number;
  parent: number;
  command: string;
}

/** Everything that a process has started, and what that has started, whatever group it is in. */
export function descendants(pid: number, all = processTable()): Process[] {
  return all
    .filter(({ parent }) => parent === pid)
    .flatMap((child) => [child, ...descendants(child.pid, all)]);
}

function processTable(): Process[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap(readProcess);
  }
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.map((line) => {
    const [pid, parent, ...words] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), command: words.join(' ') };
  });
}

/** Small images of Linux have no `ps`. */
function readProcess(name: string): Process[] {
  try {
    // The name of the program, in parentheses, may hold anything.
    const [, parent] =
      readFileSync(`/proc/${name}/stat`, 'utf8')
        .split(/\) \S /)
        .at(-1)
        ?.match(/^(\d+)/) ?? [];
    const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return [{ pid: Number(name), parent: Number(parent), command }];
  } catch {
    return [];
  }
}

/** The environment of this process without any of our own settings, and without what Jest has set. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = new Set(['NODE_ENV', ...Object.keys(apiVariables), ...Object.keys(workerVariables)]);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.has(name)));
}
