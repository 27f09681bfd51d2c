import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { cleanEnvironment, root } from '../programs.ts';
import { type Child, spawnProcess } from '../services/child.ts';
import { runService } from '../services/service.ts';
import { type Mutant } from './options.ts';
import { createPart, type Part } from './part.ts';

/** The API or the worker as it runs in production. */
export interface Program extends Part {
  readonly url: string;
  /** What /health/ready says. */
  checks(): Promise<Record<string, string>>;
  isReady(): Promise<boolean>;
  stop(): Promise<void>;
}

export interface ProgramKind {
  name: 'api' | 'worker';
  file: 'api/dist/server.js' | 'consumer/dist/worker.js';
  portVariable: 'API_PORT' | 'CONSUMER_PORT';
}

export const api: ProgramKind = { name: 'api', file: 'api/dist/server.js', portVariable: 'API_PORT' };
export const worker: ProgramKind = {
  name: 'worker',
  file: 'consumer/dist/worker.js',
  portVariable: 'CONSUMER_PORT',
};

const PROBE_TIMEOUT_MS = 2000;

/**
 * Starts one program; resolves when it is alive, which is before it is ready. `onEnd` hears its last words when it
 * ends without having been killed.
 */
export async function startProgram(
  name: string,
  { file, portVariable }: ProgramKind,
  port: number,
  settings: Record<string, string>,
  mutant: Mutant | undefined,
  onEnd: (words: string) => void,
): Promise<Program> {
  const url = `http://127.0.0.1:${port}`;
  const env = { ...cleanEnvironment(), NODE_ENV: 'production', ...settings, [portVariable]: String(port) };
  const args = [...preload(mutant), path.join(root, file)];
  let isOurs = false;

  const alive = () => probe(`${url}/health`);
  const service = await runService({
    url,
    folder: undefined,
    async start() {
      const child = spawnProcess(name, process.execPath, args, env);
      isOurs = false;
      void child.ended.then(async () => {
        if (!isOurs) onEnd(`${name} ended by itself: ${await lastWords(child)}`);
      });
      await child.answers(alive);
      return child;
    },
  });
  const expectEnd = () => (isOurs = true);
  const program = {
    url,
    checks: async () => ((await report(url)) as { checks?: Record<string, string> }).checks ?? {},
    isReady: async () => ((await report(url)) as { status?: string }).status === 'ready',
    async stop() {
      expectEnd();
      await service.stop();
    },
  };
  return Object.defineProperties(
    program as Program,
    Object.getOwnPropertyDescriptors(createPart(name, service, expectEnd)),
  );
}

/** Loads a mutant before the program; tsx reads it from its source. */
function preload(mutant: Mutant | undefined): string[] {
  if (mutant === undefined) return [];
  const tsx = pathToFileURL(createRequire(__filename).resolve('tsx')).href;
  return ['--import', tsx, '--import', pathToFileURL(path.join(__dirname, 'mutants', `${mutant}.ts`)).href];
}

/** Of a program that has ended, `answers` rejects with what it printed last. */
async function lastWords(child: Child): Promise<string> {
  return child
    .answers(() => Promise.reject(new Error('ended')))
    .then(
      () => '',
      ({ message }: Error) => message,
    );
}

async function probe(url: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
  await answer.arrayBuffer();
}

async function report(url: string): Promise<object> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    return (await answer.json()) as object;
  } catch {
    return {};
  }
}
