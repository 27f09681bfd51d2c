import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '..');
/** What the dashboard is made from. */
const sources = [
  'dashboard/index.html',
  'dashboard/vite.config.ts',
  'dashboard/src',
  'tracker/src',
  'package-lock.json',
];

/** Whether it was never built, or something it is made from has changed since. */
export function dashboardIsStale(): boolean {
  const built = changedAt('dashboard/dist/index.html');
  return sources.some((source) => changedAt(source) > built);
}

export async function buildDashboard(): Promise<void> {
  const { build } = await import('vite');
  await build({ root: path.join(root, 'dashboard'), logLevel: 'error' });
}

/** Of a folder, the latest change in it; 0 for what is not there. */
function changedAt(name: string): number {
  const found = statSync(path.join(root, name), { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found?.mtimeMs ?? 0;
  // The folder itself changes when a file in it comes or goes.
  const inside = readdirSync(path.join(root, name)).map((child) => changedAt(path.join(name, child)));
  return Math.max(found.mtimeMs, ...inside);
}
