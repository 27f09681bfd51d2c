/**
 * npm run lighthouse [-- ROUTE ...]: what Lighthouse says of the dashboard as it is built, with two months of visits in it. Fails below the
 * bars. The scores of performance depend on the machine, and are no part of the tests.
 */
import lighthouse, { desktopConfig } from 'lighthouse';
import { openBrowser } from '../services/browser.ts';
import { freePort } from '../services/free-port.ts';
import { brokenMessages } from './demo-events.ts';
import { startDemo } from './demo.ts';

const allRoutes = ['/', '/live', '/pipeline', '/users/anna-1', '/dead-letters', '/send', '/shop'];
const bars: Record<string, number> = { performance: 0.95, accessibility: 1, 'best-practices': 1 };
const devices = { desktop: desktopConfig, mobile: undefined };

async function main(routes: readonly string[]): Promise<void> {
  const demo = await startDemo();
  await demo.enqueue(brokenMessages);
  const port = await freePort();
  const browser = await openBrowser({ args: [`--remote-debugging-port=${port}`] });
  const below: string[] = [];
  console.log(['device   route', ...Object.keys(bars), 'KiB'].join('  '));
  try {
    for (const [device, config] of Object.entries(devices)) {
      for (const route of routes) {
        const flags = { port, logLevel: 'error', onlyCategories: Object.keys(bars) } as const;
        const result = await lighthouse(
          `${demo.url}/#${route}`,
          { ...flags, onlyCategories: [...flags.onlyCategories] },
          config,
        );
        const scores = Object.keys(bars).map(
          (name) => [name, result?.lhr.categories[name]?.score ?? 0] as const,
        );
        const bytes = result?.lhr.audits['total-byte-weight']?.numericValue ?? NaN;
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
