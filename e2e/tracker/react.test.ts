import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { type BrowserContext } from 'playwright-core';
import { openBrowser } from '../../tools/services/browser.ts';
import { describeWith, until } from '../../tools/services/in-tests.ts';
import { temporaryFolder } from '../../tools/services/service.ts';
import { buildPage } from './build.ts';
import { openSite, type Site } from './site.ts';

/** Counts the listeners of trackers: all of them go by a signal. */
const COUNT_LISTENERS = `
  const signals = [];
  globalThis.countListeners = () => signals.filter((signal) => !signal.aborted).length;
  const add = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    if (options?.signal) signals.push(options.signal);
    return add.call(this, type, listener, options);
  };`;
/** Of the page that is left, hidden, and online again. */
const LISTENERS = 3;

describe.each([18, 19] as const)('React %d', (react) => {
  describeWith('chromium', 'in Chromium', () => {
    let browser: BrowserContext;
    let folder: string;
    let file: string;
    let site: Site;

    beforeAll(async () => {
      folder = await temporaryFolder('tracker');
      [file, browser] = await Promise.all([buildPage('react', react, folder), openBrowser()]);
    });
    afterAll(async () => {
      await browser?.close();
      await site?.close();
    });

    test('strict mode: one tracker, one page view a path, hooks and props', async () => {
      const html = `<!doctype html><title>Shop</title><main></main><script type="module" src="/files/${file}"></script>`;
      site = await openSite('', folder, { '/': html });
      site.intercept = ({ body }) => ({
        status: 202,
        body: JSON.stringify({ accepted: body.events.length }),
      });
      const events = () => site.received.flatMap(({ body }) => body.events);
      const ofType = (type: string) => events().filter(({ eventType }) => eventType === type);
      const page = await browser.newPage();
      const faults: string[] = [];
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      page.on('pageerror', (error) => faults.push(error.message));
      await page.addInitScript(COUNT_LISTENERS);
      await page.goto(site.url);

      expect(await page.textContent('#version')).toMatch(new RegExp(`^${react}\\.`));

      await page.hover('#buy');
      for (const id of ['buy', 'add', 'out', 'share', 'go', 'flush']) await page.click(`#${id}`);
      await until(() => ofType('page_view').length >= 2);
      expect(ofType('page_view').map(({ payload }) => payload)).toEqual([
        { path: '/', title: 'Shop', referrer: '' },
        { path: '/cart', title: 'Shop', referrer: `${site.url}/` },
      ]);
      const button = { tag: 'button', id: 'buy', className: 'big', text: 'Buy now', component: 'BuyButton' };
      expect(ofType('hover').map(({ payload }) => payload)).toEqual([{ path: '/', ...button, sku: '42' }]);
      expect(ofType('click').map(({ payload }) => payload)).toEqual([{ path: '/', ...button, sku: '42' }]);
      expect(ofType('add_to_cart').map(({ payload }) => payload)).toEqual([{ path: '/', sku: '42' }]);
      expect(ofType('signed_out').map(({ payload }) => payload)).toEqual([{ path: '/' }]);
      expect(ofType('share').map(({ payload }) => payload)).toEqual([{ path: '/', to: 'friend' }]);
      expect(new Set(events().map(({ userId }) => userId)).size).toBe(1);
      expect(await page.evaluate('countListeners()')).toBe(LISTENERS);

      await page.click('#share');
      await page.click('#toggle');
      // Unmounting sends what waits, and leaves nothing behind.
      await until(() => ofType('share').length === 2);
      expect(await page.evaluate('countListeners()')).toBe(0);
      await page.click('#toggle');
      await until(() => ofType('page_view').length === 3);
      expect(await page.evaluate('countListeners()')).toBe(LISTENERS);
      expect(new Set(events().map(({ eventId }) => eventId)).size).toBe(events().length);
      expect(faults).toEqual([]);
    });
  });

  test('renders on a server, where a tracker does nothing', async () => {
    const folder = await temporaryFolder('tracker');
    const file = await buildPage('server', react, folder);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [path.join(folder, file)]);
    expect(stdout.trim()).toMatch(new RegExp(`^${react}\\.\\S+ <button>function</button>$`));
    expect(stderr).toBe('');
  });
});
