/**
 * npm run lighthouse [-- ROUTE ...]: what Lighthouse says of the dashboard as it is built, with two months of visits in it. Fails below the
 * bars. The scores of performance depend on the machine, and are no part of the tests.
 */
import { run } from '../programs.ts';
import { openBrowser } from '../services/browser.ts';
import { freePort } from '../services/free-port.ts';
import { brokenMessages } from './demo-events.ts';
import { startDemo } from './demo.ts';

const allRoutes = ['/', '/live', '/pipeline', '/users/anna-1', '/dead-letters', '/send', '/shop'];
const bars: Record<string, number> = { performance: 0.95, accessibility: 1, 'best-practices': 1 };
const devices = { desktop: ['--preset=desktop'], mobile: [] };

interface Report {
  categories: Record<string, { score: number | null }>;
  audits: Record<string, { numericValue?: number }>;
}

/** Its command line, for what it runs in the browser has to be as it was written, not as it is compiled here. */
async function lighthouse(url: string, port: number, options: readonly string[]): Promise<Report> {
  const cli = require.resolve('lighthouse/cli/index.js');
  const only = `--only-categories=${Object.keys(bars).join()}`;
  const args = [cli, url, `--port=${port}`, '--output=json', '--quiet', only, ...options];
  const program = run(process.execPath, args, {});
  if ((await program.ended) !== 0) throw new Error(program.errors());
  return JSON.parse(program.output()) as Report;
}

async function main(routes: readonly string[]): Promise<void> {
  const demo = await startDemo();
  await demo.enqueue(brokenMessages);
  const port = await freePort();
  const browser = await openBrowser({ args: [`--remote-debugging-port=${port}`] });
  const below: string[] = [];
  console.log(['device   route', ...Object.keys(bars), 'KiB'].join('  '));
  try {
    for (const [device, options] of Object.entries(devices)) {
      for (const route of routes) {
        const { categories, audits } = await lighthouse(`${demo.url}/#${route}`, port, options);
        const scores = Object.keys(bars).map((name) => [name, categories[name]?.score ?? 0] as const);
        const bytes = audits['total-byte-weight']?.numericValue ?? NaN;
        console.log(
          `${device.padEnd(8)} ${route.padEnd(14)} ${scores.map(([, score]) => score.toFixed(2)).join('  ')}  ${Math.round(bytes / 1024)}`,
        );
        for (const [name, score] of scores)
          if (score < (bars[name] ?? 0)) below.push(`${device} ${route}: ${name} ${score}`);
      }
    }
  } finally {
    await browser.close();
    await demo.stop();
  }
  if (below.length > 0) throw new Error(`below the bars: ${below.join(', ')}`);
}

const asked = process.argv.slice(2);
main(asked.length > 0 ? asked : allRoutes).catch((error: unknown) => {
  console.error(`lighthouse: ${(error as Error).message}`);
  process.exitCode = 1;
});
