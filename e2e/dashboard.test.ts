import { type BrowserContext, type Page } from 'playwright-core';
import { brokenMessages, createDemoEvents } from '../tools/dashboard/demo-events.ts';
import { sendAll, startSystem, type System } from '../tools/dashboard/system.ts';
import { openBrowser } from '../tools/services/browser.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../tools/services/in-tests.ts';
import {
  buildDashboard,
  faultsInAllLooks,
  openPage,
  tabThrough,
  visit,
  type Watched,
} from './dashboard-support.ts';
import { TIMEOUT_MS } from './support.ts';

/** A browser, and every page of it in four looks, take their time on a small machine. */
jest.setTimeout(TIMEOUT_MS);

/** Every page, and what it is waited for to show once there is something to show. */
const routes = [
  ['/', /Overview/],
  ['/live', /Live/],
  ['/users', /Seen lately/],
  ['/users/anna-1', /Timeline/],
  ['/events/demo-7-1', /How it was processed/],
  ['/pipeline', /Pipeline/],
  ['/dead-letters', /invalid-event/],
  ['/send', /Send the event/],
  ['/shop', /Six books/],
  ['/shop/authors', /Mara Lindqvist/],
] as const;
const paths = routes.map(([route]) => route);

let browser: BrowserContext;
const systems: System[] = [];

async function start(settings: Record<string, string> = {}): Promise<System> {
  const system = await startSystem(serviceUrl('mongodb'), uniqueName('e2e_dashboard'), settings);
  systems.push(system);
  return system;
}

async function get<T>(system: System, path: string): Promise<T> {
  return (await (await fetch(`${system.url}/api/v1${path}`)).json()) as T;
}

interface Report {
  stored: number;
  dead: number;
}

async function untilStored(system: System, stored: number, dead = 0): Promise<void> {
  await until(async () => {
    const report = await get<Report>(system, '/pipeline');
    return report.stored >= stored && report.dead >= dead;
  });
}

describeWith(['mongodb', 'chromium'], 'the dashboard', () => {
  beforeAll(async () => {
    await buildDashboard();
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    for (const codes of await Promise.all(systems.map((system) => system.stop())))
      expect(codes).toEqual([0, 0]);
  });

  describe('is accessible, within its policy and without an error', () => {
    let system: System;
    let watched: Watched;
    let page: Page;
    const events = createDemoEvents(7, new Date(), 30, 100);

    beforeAll(async () => {
      system = await start();
      watched = await openPage(browser);
      page = watched.page;
    });

    async function faultsOf(route: string): Promise<string[]> {
      const faults = (await faultsInAllLooks(page)).map((fault) => `${route} ${fault}`);
      return [...faults, ...watched.complaints.splice(0).map((complaint) => `${route} ${complaint}`)];
    }

    test('what is wrong is noticed', async () => {
      await visit(page, system.url, '/send');
      await page.evaluate(`
        document.querySelector('main').insertAdjacentHTML('beforeend', '<p style="color: red">styled</p><input>');
        document.querySelector('main p').outerHTML = '<p><span tabindex="0" class="wide">wide</span></p>';
        for (const rule of ['.wide { display: block; width: 2000px }', ':focus-visible.wide { outline: none }'])
          document.styleSheets[0].insertRule(rule, document.styleSheets[0].cssRules.length);`);
      const faults = (await faultsOf('/send')).join('\n');
      expect(faults).toMatch(/\/send light 360: label: <input>/);
      expect(faults).toMatch(/\/send dark 1440: 2\d\d\d px are wider/);
      expect(faults).toMatch(/Content Security Policy/);
      expect((await tabThrough(page)).unseen.join('\n')).toMatch(/^<span .*>wide<\/span>$/);
      await page.reload();
    });

    test.each(paths)('%s with nothing to show', async (route) => {
      await visit(page, system.url, route);
      expect(await faultsOf(route)).toEqual([]);
    });

    describe('with events', () => {
      beforeAll(async () => {
        await sendAll(system.url, events);
        await system.enqueue(brokenMessages);
        await untilStored(system, events.length, brokenMessages.length);
      });

      test.each(routes)('%s', async (route, shown) => {
        await visit(page, system.url, route);
        await page.locator('main').getByText(shown).first().waitFor();
        expect(await faultsOf(route)).toEqual([]);
      });

      test('a dead letter', async () => {
        await visit(page, system.url, '/dead-letters');
        await page
          .getByRole('link', { name: 'yesterday' })
          .or(page.locator('.letter-list a'))
          .first()
          .click();
        await page.getByLabel('The event, as JSON').waitFor();
        expect(await faultsOf('dead letter')).toEqual([]);
      });

      test.each(paths)('%s can be used by keyboard alone', async (route) => {
        await page.setViewportSize({ width: 1440, height: 900 });
        await visit(page, system.url, route);
        // A page that one has come to from another has the focus in its content.
        await page.reload();
        await page.locator('h1').first().waitFor();
        expect(await tabThrough(page)).toEqual({ unreached: [], unseen: [] });
      });
    });

    test.each(paths)('%s while the API does not answer', async (route) => {
      await page.route('**/api/v1/**', (request) => request.abort());
      await visit(page, system.url, route);
      if (!['/send'].includes(route) && !route.startsWith('/shop'))
        await page.getByText('The API does not answer').first().waitFor();
      const faults = await faultsOf(route);
      await page.unroute('**/api/v1/**');
      expect(faults).toEqual([]);
    });
  });
});
