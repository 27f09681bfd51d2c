import { setTimeout as delay } from 'node:timers/promises';
import { startMongod } from '../mongod/start.ts';
import { run } from '../programs.ts';
import { createDemoEvents, freshOrder } from './demo-events.ts';
import { sendAll, startSystem, type System } from './system.ts';

const SEED = 7;
/** The overview shows a month beside the one before. */
const DAYS = 61;
const VISITS = 4500;
const POLL_MS = 250;

/** Builds the page, starts everything on free ports and fills it with two months of visits, all of them counted. */
export async function startDemo(): Promise<System> {
  const build = run('npm', ['run', 'build', '--workspace', 'dashboard'], {});
  if ((await build.ended) !== 0) throw new Error(build.output() + build.errors());
  const mongod = await startMongod();
  const system = await startSystem(mongod.url, 'demo');
  const events = createDemoEvents(SEED, new Date(), DAYS, VISITS);
  await sendAll(system.url, events);
  await sendAll(system.url, [freshOrder()]);
  while (!(await isCounted(system.url, events.length + 1))) await delay(POLL_MS);
  return {
    ...system,
    async stop() {
      const codes = await system.stop();
      await mongod.stop();
      return codes;
    },
  };
}

async function isCounted(url: string, total: number): Promise<boolean> {
  const from = new Date(Date.now() - (DAYS + 1) * 86_400_000).toISOString();
  const answer = await fetch(`${url}/api/v1/stats/overview?interval=day&from=${from}`);
  if (!answer.ok) throw new Error(`overview: ${answer.status} ${await answer.text()}`);
  const overview = (await answer.json()) as { total: number; uncounted: number };
  return overview.uncounted === 0 && overview.total === total;
}
