/**
 * npm run screenshots: starts everything on free ports, fills it with two months of visits to a small shop, and takes the
 * pictures of the dashboard in docs/screenshots.
 */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type BrowserContext, type Page } from 'playwright-core';
import { root } from '../programs.ts';
import { createRandom } from '../random.ts';
import { openBrowser } from '../services/browser.ts';
import { brokenMessages, createDemoEvents } from './demo-events.ts';
import { startDemo } from './demo.ts';
import { sendAll } from './system.ts';

const FOLDER = path.join(root, 'docs/screenshots');
/** So that the repository stays small. */
const PICTURE_BYTES_MAX = 250 * 1024;
const MONTH = '/?range=30d';

interface Picture {
  name: string;
  route: string;
  /** What the page is waited for to show. */
  shows: string;
  isDark?: boolean;
  isNarrow?: boolean;
  /** What somebody does before the picture is taken. */
  act?: (page: Page) => Promise<void>;
}

const quiet: readonly Picture[] = [
  { name: 'overview', route: MONTH, shows: 'Unique users' },
  { name: 'overview-dark', route: MONTH, shows: 'Unique users', isDark: true },
  { name: 'overview-narrow', route: MONTH, shows: 'Unique users', isNarrow: true },
  { name: 'user', route: '/users/anna-1', shows: 'Timeline', act: openPayload },
  { name: 'event', route: '/events/demo-order', shows: 'How it was processed' },
  { name: 'send', route: '/send', shows: 'Send the event' },
  { name: 'shop', route: '/shop', shows: 'Six books', act: goShopping },
];

/** With somebody in the shop all the time. */
const busy: readonly Picture[] = [
  { name: 'pipeline', route: '/pipeline', shows: 'Stored', act: (page) => page.waitForTimeout(45_000) },
  { name: 'live', route: '/live', shows: 'Listening' },
];
const letters = { name: 'dead-letters', route: '/dead-letters', shows: 'unknown type', act: openLetter };

/** Sends a few events several times a second, until it is ended. */
function keepVisiting(url: string): { end: () => Promise<void> } {
  const random = createRandom(1);
  const events = createDemoEvents(2, new Date(), 1, 2000);
  let isOver = false;
  const visiting = (async () => {
    while (!isOver) {
      const now = new Date().toISOString();
      const some = events.splice(0, random.integer(1, 12)).map((event) => ({ ...event, timestamp: now }));
      if (some.length > 0) await sendAll(url, some);
      await delay(random.integer(100, 400));
    }
  })();
  return {
    end() {
      isOver = true;
      return visiting;
    },
  };
}

async function openPayload(page: Page): Promise<void> {
  await page.locator('summary').first().click();
}

async function openLetter(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'must be an ISO 8601' }).click();
  await page.getByLabel('The event, as JSON').waitFor();
}

async function goShopping(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Add Salt and Static' }).click();
  await page.getByRole('button', { name: 'Add The Quiet Ledger' }).click();
  await page.getByLabel('Stored events').getByText('add_to_cart').nth(1).waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate('scrollTo(0, 0)');
}

async function take(browser: BrowserContext, url: string, picture: Picture): Promise<void> {
  const { name, route, shows, isDark = false, isNarrow = false, act } = picture;
  const page = await browser.newPage();
  await page.emulateMedia({ colorScheme: isDark ? 'dark' : 'light', reducedMotion: 'reduce' });
  await page.setViewportSize(isNarrow ? { width: 390, height: 844 } : { width: 1280, height: 860 });
  await page.goto(`${url}/#${route}`);
  await page.locator('main').getByText(shows).first().waitFor();
  await act?.(page);
  // Charts are drawn with the next frame.
  await page.waitForTimeout(500);
  const file = path.join(FOLDER, `${name}.png`);
  await page.screenshot({ path: file });
  await page.close();
  const { size } = await stat(file);
  console.log(`${path.relative(root, file)}  ${Math.round(size / 1024)} KiB`);
  if (size > PICTURE_BYTES_MAX) throw new Error(`${name}.png is larger than ${PICTURE_BYTES_MAX / 1024} KiB`);
}

async function main(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const demo = await startDemo();
  const browser = await openBrowser({ locale: 'en-GB', timezoneId: 'UTC' });
  try {
    for (const picture of quiet) await take(browser, demo.url, picture);
    const visits = keepVisiting(demo.url);
    for (const picture of busy) await take(browser, demo.url, picture);
    await visits.end();
    await demo.enqueue(brokenMessages);
    await take(browser, demo.url, letters);
  } finally {
    await browser.close();
    await demo.stop();
  }
}

main().catch((error: unknown) => {
  console.error(`screenshots: ${(error as Error).message}`);
  process.exitCode = 1;
});
