import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type BrowserContext, type Page } from 'playwright-core';
import { descendants } from '../../tools/programs.ts';
import { openBrowser } from '../../tools/services/browser.ts';
import { describeWith, until } from '../../tools/services/in-tests.ts';
import { temporaryFolder } from '../../tools/services/service.ts';
import { endAll } from '../support.ts';
import { buildTracker } from './build.ts';
import { type Proof, writeProofs } from './proofs.ts';
import { openSite, type Site } from './site.ts';
import { createStack, type Stack } from './stack.ts';

/** What the table in the tracker's README says, once all of it has been proved. */
const proofs: Proof[] = [];
const MANY = 500;
const DEFAULTS = 'as they come';

describeWith(['mongodb', 'chromium'], 'the tracker in Chromium', () => {
  let stack: Stack;
  let activities: Stack['activities'];
  let folder: string;
  let browser: BrowserContext;
  let apiUrl: string;
  let strictApiUrl: string;
  const opened: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    stack = createStack();
    activities = stack.activities;
    folder = await temporaryFolder('tracker');
    [apiUrl, strictApiUrl, browser] = await Promise.all([
      stack.startApi(),
      stack.startApi({ RATE_LIMIT_MAX_REQUESTS: '2', RATE_LIMIT_WINDOW_MS: '3000', BODY_BYTES_MAX: '16384' }),
      openBrowser(),
      stack.startWorker(),
      buildTracker(folder),
    ]);
  }, 120_000);

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await Promise.all(browser.pages().map((page) => page.close()));
  });

  afterAll(async () => {
    const version = browser?.browser()?.version() ?? '';
    await browser?.close();
    await stack?.dropDatabase();
    await endAll();
    if (process.env.TRACKER_PROOFS === 'write') writeProofs(proofs, version);
  });

  async function site(api = apiUrl): Promise<Site> {
    const one = await openSite(api, folder);
    opened.push(one);
    return one;
  }

  /** A page of the site with these options of the tracker. */
  async function visit({ url }: Site, options: object = {}, context = browser): Promise<Page> {
    const page = await context.newPage();
    await page.goto(`${url}/?options=${encodeURIComponent(JSON.stringify(options))}`);
    return page;
  }

  const countStored = (eventType: string) => activities.countDocuments({ eventType });

  /** All of them are stored, each once; for the table, what that took. */
  async function expectStored(proof: Pick<Proof, 'what'> & Partial<Proof>, { received }: Site, type: string) {
    const { what, settings = DEFAULTS, tracked = MANY } = proof;
    await until(async () => (await countStored(type)) >= tracked);
    const numbers = (await activities.find({ eventType: type }).toArray()).map(({ payload }) => payload.n);
    const distinct = new Set(numbers).size;
    const sent = received.flatMap(({ body }) => body.events).length;
    proofs.push({ what, settings, tracked, sent, stored: distinct, doubled: numbers.length - distinct });
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: tracked }, (_, n) => n));
    // Each arrived as a plain text, for which no browser asks beforehand.
    expect(new Set(received.map(({ method }) => method))).toEqual(new Set(['POST']));
    expect(new Set(received.map(({ contentType }) => contentType))).toEqual(
      new Set(['text/plain;charset=UTF-8']),
    );
  }

  const sentIds = ({ received }: Site) =>
    received.flatMap(({ body }) => body.events.map(({ eventId }) => eventId));

  test('sends without being told anything, each event once', async () => {
    const here = await site();
    const page = await visit(here);
    await page.evaluate(`trackMany('plain', 0, ${MANY})`);
    await page.evaluate('tracker.flush()');
    await expectStored({ what: 'nothing unusual' }, here, 'plain');
    expect(new Set(sentIds(here)).size).toBe(MANY);
    expect(sentIds(here)).toHaveLength(MANY);
    expect(here.mostAtOnce()).toBe(1);
    expect(here.received.every(({ body }) => Date.parse(body.sentAt ?? '') > 0)).toBe(true);
  });

  test('closing the tab right after loses nothing', async () => {
    const here = await site();
    const page = await visit(here);
    await page.evaluate(`trackMany('tab_closed', 0, ${MANY})`);
    await page.close();
    // What 64 KiB hold is handed over to the browser, which delivers it without a page.
    await until(async () => (await countStored('tab_closed')) > 100);
    await visit(here);
    await expectStored({ what: 'the tab is closed, and the site visited again' }, here, 'tab_closed');
  });

  test('going to another page loses nothing', async () => {
    const here = await site();
    const page = await visit(here);
    await page.evaluate(`trackMany('navigation', 0, ${MANY})`);
    await page.goto(`${here.url}/next`);
    await expectStored({ what: 'the visitor goes to the next page' }, here, 'navigation');
  });

  test('a few events of a page that is left need no next visit', async () => {
    const here = await site();
    const page = await visit(here);
    await page.evaluate(`trackMany('few', 0, 20)`);
    await page.close();
    await expectStored({ what: 'the tab is closed, and that was all', tracked: 20 }, here, 'few');
  });

  test('a page that is hidden and then left sends nothing twice', async () => {
    const here = await site();
    here.answerDelayMs = 500;
    const page = await visit(here);
    await page.evaluate(`trackMany('hidden', 0, 20)`);
    await page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
      dispatchEvent(new Event('pagehide'));
      tracker.flush()`);
    await expectStored({ what: 'the page is hidden, then left', tracked: 20 }, here, 'hidden');
    expect(sentIds(here)).toHaveLength(20);
    await page.evaluate('tracker.flush()');
    expect(sentIds(here)).toHaveLength(20);
  });

  test('a crash of the tab right after loses nothing', async () => {
    const here = await site();
    const page = await visit(here);
    const session = await browser.newCDPSession(page);
    // The events are made in the last task that the tab has.
    await page.evaluate(`trackMany('tab_crash', 0, ${MANY})`);
    await Promise.race([session.send('Page.crash'), page.waitForEvent('crash')]).catch(() => undefined);
    await visit(here);
    await expectStored({ what: 'the tab crashes, and the site is visited again' }, here, 'tab_crash');
  });

  test('killing the whole browser loses nothing', async () => {
    const here = await site();
    here.intercept = () => ({ status: 502 });
    const profile = await temporaryFolder('profile');
    const context = await openBrowser({ profile });
    const page = await visit(here, {}, context);
    await page.evaluate(`trackMany('browser_killed', 0, ${MANY})`);
    await until(() => here.received.length > 0);
    const all = descendants(process.pid).filter(({ command }) => command.includes(profile));
    expect(all.length).toBeGreaterThan(0);
    all.forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
    await context.close().catch(() => undefined);
    here.intercept = () => undefined;
    const again = await openBrowser({ profile });
    opened.push(again);
    await visit(here, {}, again);
    const settings = 'a proxy answers 502 until then';
    await expectStored(
      { what: 'the browser is killed, and started again', settings },
      here,
      'browser_killed',
    );
  });

  test('five minutes without a network lose nothing', async () => {
    const here = await site();
    const context = await openBrowser();
    opened.push(context);
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(here.url);
    await context.setOffline(true);
    for (let minute = 0; minute < 5; minute += 1) {
      await page.evaluate(`trackMany('offline', ${minute * 100}, ${minute * 100 + 100})`);
      await page.clock.runFor(60_000);
    }
    expect(here.received).toEqual([]);
    await context.setOffline(false);
    await expectStored({ what: 'five minutes without a network' }, here, 'offline');
    expect(sentIds(here)).toHaveLength(MANY);
  });

  test('429 with Retry-After is waited for, and a body that is too large is halved', async () => {
    const here = await site(strictApiUrl);
    const page = await visit(here);
    await page.evaluate(`trackMany('limited', 0, ${MANY})`);
    const settings = 'the API takes 2 requests per 3 s, of 16 KiB each';
    await expectStored({ what: 'the API answers 429 and 413', settings }, here, 'limited');
    const refused = here.received.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(here.received.some(({ status }) => status === 413)).toBe(true);
    for (const one of refused) {
      const next = here.received[here.received.indexOf(one) + 1];
      expect(one.retryAfter).toBeGreaterThan(0);
      // Clocks tick in milliseconds on both sides.
      if (next) expect(next.at - one.at).toBeGreaterThanOrEqual(one.retryAfter * 1000 - 2);
    }
    expect(await page.evaluate('dropped')).toEqual([]);
  });

  test('503 with Retry-After is waited for, also by the next page', async () => {
    const here = await site();
    here.intercept = () =>
      here.received.length <= 2 ? { status: 503, headers: { 'retry-after': '2' } } : undefined;
    const page = await visit(here);
    await page.evaluate(`trackMany('unavailable', 0, ${MANY})`);
    const heard = `Object.keys(localStorage).some((key) => key.endsWith(':pause'))`;
    await until(async () => page.evaluate<boolean>(heard));
    await page.goto(`${here.url}/next`);
    const settings = 'a proxy answers 503 twice, with Retry-After: 2';
    await expectStored(
      { what: 'the API answers 503, and the visitor goes on', settings },
      here,
      'unavailable',
    );
    const [first, second, third] = here.received.map(({ at }) => at) as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(1998);
    expect(third - second).toBeGreaterThanOrEqual(1998);
  });

  test('an answer that is not the API’s confirms nothing', async () => {
    const here = await site();
    here.intercept = () =>
      here.received.length <= 1 ? { status: 200, body: '<html>Sign in to this network</html>' } : undefined;
    const page = await visit(here);
    await page.evaluate(`trackMany('portal', 0, ${MANY})`);
    const settings = 'a proxy answers the first request';
    await expectStored({ what: 'a login page answers 200 in place of the API', settings }, here, 'portal');
  });

  test('events that the API refuses are dropped, and told', async () => {
    const here = await site();
    const page = await visit(here);
    await page.evaluate('tracker.flush()');
    await page.evaluate(`trackMany('good', 0, 2); tracker.track('x'.repeat(200)); tracker.flush()`);
    await expectStored({ what: 'one of three events is refused', tracked: 2 }, here, 'good');
    await page.evaluate(
      `tracker.track('x'.repeat(200)); tracker.track('cyclic', { window }); tracker.flush()`,
    );
    await until(async () => (await page.evaluate('dropped.length')) === 3);
    const dropped = await page.evaluate<object[]>(
      'dropped.map(({ events, ...rest }) => ({ ...rest, count: events.length }))',
    );
    const details = [
      {
        field: expect.stringMatching(/eventType$/) as string,
        message: expect.stringMatching(/at most 128/) as string,
      },
    ];
    expect(dropped).toEqual([
      { reason: 'rejected', count: 1, details },
      { reason: 'not-json', count: 1, details: expect.anything() as object },
      { reason: 'rejected', count: 1, details },
    ]);
    expect(here.received.map(({ status }) => status)).toEqual([202, 400]);
    expect(await page.evaluate('tracker.dropped')).toBe(3);
  });

  test('an event that is too large alone is dropped, and told', async () => {
    const here = await site(strictApiUrl);
    const page = await visit(here);
    await page.evaluate(
      `tracker.track('large', { text: 'x'.repeat(20_000) }); trackMany('beside_large', 0, 2); tracker.flush()`,
    );
    await expectStored(
      { what: 'one of three events is too large', settings: 'the API takes 16 KiB', tracked: 2 },
      here,
      'beside_large',
    );
    await until(async () => (await page.evaluate('dropped.length')) === 1);
    expect(await page.evaluate('dropped[0].reason + dropped[0].events[0].eventType')).toBe('too-largelarge');
  });

  test('a full queue drops what is newest, counts it and tells', async () => {
    const here = await site();
    here.intercept = () => ({ status: 502 });
    const page = await visit(here, { queueEventsMax: 100 });
    await page.evaluate(`trackMany('full_queue', 0, 100)`);
    await page.evaluate(`trackMany('full_queue', 100, 150)`);
    await until(async () => (await page.evaluate('tracker.dropped')) === 50);
    expect(await page.evaluate(`dropped[0].reason + dropped[0].events[0].payload.n`)).toBe('queue-full100');
    here.intercept = () => undefined;
    await page.reload();
    await expectStored(
      {
        what: 'the queue is full, 50 more are dropped',
        settings: 'queueEventsMax 100, and a proxy answers 502',
        tracked: 100,
      },
      here,
      'full_queue',
    );
  });

  test('storage that is full loses nothing', async () => {
    const here = await site();
    const page = await visit(here);
    const session = await browser.newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: here.url, quotaSize: 1 });
    here.intercept = () => ({ status: 502 });
    await page.evaluate(`trackMany('storage_full', 0, ${MANY})`);
    await until(() => here.received.length > 0);
    expect(await page.evaluate('Object.keys(localStorage).length')).toBeGreaterThanOrEqual(MANY);
    here.intercept = () => undefined;
    await page.close();
    await visit(here);
    const settings = 'a proxy answers 502 until then';
    await expectStored({ what: 'IndexedDB is full, and the tab is closed', settings }, here, 'storage_full');
  });

  test('all storage being full loses nothing that is sent before the page is left', async () => {
    const here = await site();
    const page = await visit(here);
    const session = await browser.newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: here.url, quotaSize: 1 });
    await page.evaluate(`for (let size = 2 ** 22; size >= 1; size /= 2) {
      try { for (let n = 0; ; n += 1) localStorage.setItem('full ' + size + ' ' + n, 'x'.repeat(size)); } catch {}
    }`);
    await page.evaluate(`trackMany('all_full', 0, ${MANY})`);
    expect(await page.evaluate(`Object.keys(localStorage).filter((key) => key.includes('#')).length`)).toBe(
      0,
    );
    await expectStored({ what: 'IndexedDB and localStorage are full, and the page stays' }, here, 'all_full');
  });

  test('storage that is blocked loses nothing that is sent before the page is left', async () => {
    const here = await site();
    const profile = await temporaryFolder('profile');
    setPreferences(profile, { profile: { default_content_setting_values: { cookies: 2 } } });
    const context = await openBrowser({ profile });
    opened.push(context);
    const page = await visit(here, {}, context);
    await expect(page.evaluate('localStorage.length')).rejects.toThrow(/Access is denied/);
    await page.evaluate(`trackMany('storage_blocked', 0, ${MANY})`);
    await expectStored({ what: 'storage is blocked, and the page stays' }, here, 'storage_blocked');
    // One visitor, as long as the page lives.
    expect(await activities.distinct('userId', { eventType: 'storage_blocked' })).toHaveLength(1);
  });

  test('two tabs send as one', async () => {
    const here = await site();
    here.answerDelayMs = 100;
    const [one, two] = [await visit(here), await visit(here)];
    await Promise.all([
      one.evaluate(`trackMany('two_tabs', 0, 250)`),
      two.evaluate(`trackMany('two_tabs', 250, 500)`),
    ]);
    await Promise.all([one.evaluate('tracker.flush()'), two.evaluate('tracker.flush()')]);
    await expectStored({ what: 'two tabs at once' }, here, 'two_tabs');
    expect(sentIds(here)).toHaveLength(MANY);
    expect(here.mostAtOnce()).toBe(1);
  });

  test('an origin without TLS has ids too, and sends without locks', async () => {
    const here = await site();
    const context = await openBrowser({ args: ['--host-resolver-rules=MAP site.test 127.0.0.1'] });
    opened.push(context);
    const insecure = { ...here, url: here.url.replace('127.0.0.1', 'site.test') };
    const page = await visit(insecure, {}, context);
    expect(
      await page.evaluate('[isSecureContext, typeof crypto.randomUUID, typeof navigator.locks]'),
    ).toEqual([false, 'undefined', 'undefined']);
    await page.evaluate(`trackMany('insecure', 0, ${MANY})`);
    await expectStored({ what: 'an origin without TLS: no Web Locks' }, here, 'insecure');
    for (const id of sentIds(here))
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });

  test('a clock that is two hours fast is stored at the right time', async () => {
    const here = await site();
    const page = await browser.newPage();
    const before = Date.now();
    await page.clock.install({ time: Date.now() + 7_200_000 });
    await page.goto(here.url);
    await page.evaluate(`trackMany('clock', 0, ${MANY})`);
    await expectStored({ what: 'the clock is two hours fast' }, here, 'clock');
    const [first] = here.received;
    expect(Date.parse(first?.body.sentAt ?? '') - before).toBeGreaterThan(7_000_000);
    for (const { timestamp } of await activities.find({ eventType: 'clock' }).toArray()) {
      expect(Math.abs(timestamp.getTime() - before)).toBeLessThan(60_000);
    }
  });

  test('Do Not Track and Global Privacy Control are respected where the site says so', async () => {
    const here = await site();
    const profile = await temporaryFolder('profile');
    setPreferences(profile, { enable_do_not_track: true });
    const context = await openBrowser({ profile });
    opened.push(context);
    const kept = '[Object.keys(localStorage), indexedDB.databases().then((all) => all.length)]';
    const page = await visit(here, { respectDoNotTrack: true }, context);
    expect(await page.evaluate('navigator.doNotTrack')).toBe('1');
    await page.evaluate(
      `trackMany('unwanted', 0, ${MANY}); tracker.page(); tracker.identify('u'); tracker.flush()`,
    );
    expect(await page.evaluate(`Promise.all(${kept})`)).toEqual([[], 0]);

    const other = await browser.newPage();
    await other.addInitScript('Object.defineProperty(navigator, "globalPrivacyControl", { value: true })');
    await other.goto(`${here.url}/?options=${encodeURIComponent('{"respectDoNotTrack":true}')}`);
    await other.evaluate(`trackMany('unwanted', 0, ${MANY}); tracker.flush()`);
    expect(await other.evaluate(`Promise.all(${kept})`)).toEqual([[], 0]);
    expect(here.received).toEqual([]);

    // Without the option it is an ordinary visit.
    const plain = await visit(here, {}, context);
    await plain.evaluate(`trackMany('dnt_off', 0, 1); tracker.flush()`);
    await until(async () => (await countStored('dnt_off')) === 1);
  });

  test('identify adopts the anonymous id, and reset leaves the user', async () => {
    const here = await site();
    const page = await visit(here);
    await page.evaluate(
      `tracker.track('who', { n: 0 }); tracker.identify('user-7'); tracker.identify('user-7')`,
    );
    await page.goto(`${here.url}/later`);
    await page.evaluate(
      `tracker.track('who', { n: 1 }); tracker.reset(); tracker.track('who', { n: 2 }); tracker.page(); tracker.flush()`,
    );
    await until(() => sentIds(here).length >= 5);
    await until(async () => (await countStored('who')) === 3);
    const events = here.received.flatMap(({ body }) => body.events);
    const who = events.filter(({ eventType }) => eventType === 'who').map(({ userId }) => userId);
    const [anonymous] = who;
    const identified = [
      ...new Map(
        events
          .filter(({ eventType }) => eventType === 'identify')
          .map((event) => [JSON.stringify(event), event]),
      ).values(),
    ];
    expect(anonymous).toMatch(/^anonymous-[\da-f-]{36}$/);
    expect(identified).toMatchObject([{ userId: 'user-7', payload: { anonymousId: anonymous, path: '/' } }]);
    const stored = await activities.find({ eventType: 'who' }, { sort: { 'payload.n': 1 } }).toArray();
    const users = stored.map(({ userId }) => userId);
    expect(users).toEqual([anonymous, 'user-7', expect.stringMatching(/^anonymous-/)]);
    expect(users[2]).not.toBe(anonymous);
    expect(events.find(({ eventType }) => eventType === 'page_view')).toMatchObject({
      eventType: 'page_view',
      payload: { path: '/later', title: 'A page', referrer: '' },
    });
  });
});

function setPreferences(profile: string, preferences: object): void {
  mkdirSync(path.join(profile, 'Default'), { recursive: true });
  writeFileSync(path.join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
}
