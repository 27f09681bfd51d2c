import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { root } from '../../tools/programs.ts';

/** Builds the tracker as it is published, without its types, into a folder. */
export async function buildTracker(folder: string): Promise<void> {
  await runBuild('tracker/build.ts', folder);
}

/** Builds a page of `tracker/tests/pages` on one of the two Reacts into a folder; resolves to the name of its file. */
export async function buildPage(name: string, react: 18 | 19, folder: string): Promise<string> {
  await runBuild('tracker/tests/build-page.ts', name, String(react), folder);
  return `${name}-${react}.js`;
}

/** In a process of its own: Vite is an ES module, which Jest cannot load. */
async function runBuild(...args: string[]): Promise<void> {
  // Jest sets NODE_ENV to what React has no build for.
  const env = { ...process.env, NODE_ENV: 'development' };
  await promisify(execFile)(process.execPath, ['--import', 'tsx', ...args], { cwd: root, env });
}
