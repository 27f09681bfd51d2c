import { type BrowserContext, type Page } from 'playwright-core';
import { openBrowser } from '../../tools/services/browser.ts';
import { describeWith, until } from '../../tools/services/in-tests.ts';
import { temporaryFolder } from '../../tools/services/service.ts';
import { endAll } from '../support.ts';
import { buildTracker } from './build.ts';
import { openSite, type Site } from './site.ts';
import { createStack, type Stack } from './stack.ts';

const BODY = `
  <button id="plain" class="one two"> Plain
    text <b>inside</b></button>
  <a id="named" href="#x" data-track-event="add_to_cart" data-track-sku="42" data-track-item-count="3">Add</a>
  <input id="secret" type="password" />
  <p id="paragraph">Some text</p>`;
const script = (attributes: string) =>
  `<!doctype html><title>Shop</title><body>${BODY}</body><script src="/files/event-tracker.js" ${attributes}></script>`;

describeWith(['mongodb', 'chromium'], 'the script tag', () => {
  let browser: BrowserContext;
  let folder: string;
  let stack: Stack;
  let apiUrl: string;
  let site: Site;

  beforeAll(async () => {
    stack = createStack();
    folder = await temporaryFolder('tracker');
    [apiUrl, browser] = await Promise.all([
      stack.startApi(),
      openBrowser(),
      stack.startWorker(),
      buildTracker(folder),
    ]);
    site = await openSite(apiUrl, folder, {
      '/all': script('data-capture="pageViews clicks hovers attributes"'),
      '/attributes': script('data-capture="attributes" data-write-key="key-1" data-flush-at="1"'),
      '/none': script(''),
      '/elsewhere': script(`data-url="${apiUrl}/" data-capture="pageViews"`),
    });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await stack?.dropDatabase();
    await endAll();
  });
  afterEach(() => Promise.all(browser.pages().map((page) => page.close())));

  /** What a page sends while it is open. */
  async function sentBy(path: string, act: (page: Page) => Promise<unknown>) {
    const earlier = site.received.length;
    const page = await browser.newPage();
    await page.goto(site.url + path);
    await act(page);
    await page.evaluate('eventTracker.flush()');
    const bodies = site.received.slice(earlier).map(({ body }) => body);
    return { bodies, events: bodies.flatMap(({ events }) => events) };
  }
  const useAll = async (page: Page) => {
    await page.hover('#plain');
    await page.hover('#plain b');
    await page.hover('#paragraph');
    await page.click('#plain b');
    await page.fill('#secret', 'hunter2');
    await page.click('#secret');
    await page.click('#named');
    await page.click('#paragraph');
  };

  test('captures what it is told to', async () => {
    const { events } = await sentBy('/all', useAll);
    const plain = { tag: 'button', id: 'plain', className: 'one two', text: 'Plain text inside' };
    const secret = { tag: 'input', id: 'secret', className: '', text: '' };
    const named = { tag: 'a', id: 'named', className: '', text: 'Add' };
    const attributes = { sku: '42', itemCount: '3' };
    const ofType = (type: string) =>
      events.filter(({ eventType }) => eventType === type).map(({ payload }) => payload);
    const path = '/all';
    expect(ofType('page_view')).toEqual([{ path, title: 'Shop', referrer: '' }]);
    expect(ofType('click')).toEqual([
      { path, ...plain },
      { path, ...secret },
      { path, tag: 'p', id: 'paragraph', className: '', text: 'Some text' },
    ]);
    expect(ofType('add_to_cart')).toEqual([{ path, ...named, ...attributes }]);
    expect(ofType('hover')).toEqual([
      { path, ...plain },
      { path, ...plain },
      { path, ...secret },
      { path, ...named, event: 'add_to_cart', ...attributes },
    ]);
    expect(JSON.stringify(events)).not.toContain('hunter2');
  });

  test('page views follow the history, once a path', async () => {
    const { events } = await sentBy('/all', async (page) => {
      await page.evaluate(`history.pushState(null, '', '/cart')`);
      await page.evaluate(`history.replaceState({ a: 1 }, '', '/cart?step=2')`);
      await page.evaluate(`location.hash = '#terms'`);
      await page.evaluate(`history.go(-2)`);
      await page.waitForURL('**/all');
    });
    const views = events.filter(({ eventType }) => eventType === 'page_view').map(({ payload }) => payload);
    expect(views.map(({ path }) => path)).toEqual(['/all', '/cart', '/all']);
    expect(views[1]).toMatchObject({ referrer: `${site.url}/all` });
  });

  test('a page that comes back as it was left is looked at once more', async () => {
    // Playwright switches that off otherwise.
    const context = await openBrowser({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
    const earlier = site.received.length;
    const views = () =>
      site.received
        .slice(earlier)
        .flatMap(({ body }) => body.events)
        .filter(({ eventType }) => eventType === 'page_view');
    const page = await context.newPage();
    await page.goto(`${site.url}/all`);
    await page.evaluate('globalThis.isSamePage = true; eventTracker.flush()');
    await page.goto(`${site.url}/none`);
    await page.goBack({ waitUntil: 'commit' });
    expect(await page.evaluate('globalThis.isSamePage')).toBe(true);
    await page.evaluate('eventTracker.flush()');
    expect(views()).toHaveLength(2);
    await context.close();
  });

  test('captures named elements alone, or nothing', async () => {
    const { bodies, events } = await sentBy('/attributes', useAll);
    expect(events.map(({ eventType }) => eventType)).toEqual(['add_to_cart']);
    expect(bodies).toMatchObject([{ writeKey: 'key-1' }]);
    expect((await sentBy('/none', useAll)).events).toEqual([]);
  });

  test('sends to another origin without asking beforehand', async () => {
    const methods: string[] = [];
    const { events } = await sentBy('/elsewhere', async (page) => {
      const session = await browser.newCDPSession(page);
      await session.send('Network.enable');
      session.on('Network.requestWillBeSent', ({ request }) => {
        if (request.url.startsWith(apiUrl)) methods.push(request.method);
      });
      await page.evaluate(`eventTracker.track('elsewhere'); eventTracker.flush()`);
    });
    expect(events).toEqual([]);
    await until(async () => (await stack.activities.countDocuments({ eventType: 'elsewhere' })) === 1);
    expect(await stack.activities.countDocuments({ 'payload.path': '/elsewhere' })).toBe(2);
    expect(new Set(methods)).toEqual(new Set(['POST']));
  });
});
