import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { root } from '../../tools/programs.ts';

/** Builds the tracker as it is published, without its types, into a folder. In a process of its own: Jest has no ESM. */
export async function buildTracker(folder: string): Promise<void> {
  await promisify(execFile)(process.execPath, ['--import', 'tsx', 'tracker/build.ts', folder], { cwd: root });
}
