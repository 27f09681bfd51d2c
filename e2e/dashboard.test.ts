import { type BrowserContext, type Locator, type Page } from 'playwright-core';
import { brokenMessages, createDemoEvents } from '../tools/dashboard/demo-events.ts';
import { sendAll, startSystem, type System } from '../tools/dashboard/system.ts';
import { openBrowser } from '../tools/services/browser.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../tools/services/in-tests.ts';
import { faultsInAllLooks, openPage, tabThrough, visit, type Watched } from './dashboard-support.ts';
import { TIMEOUT_MS } from './support.ts';

/** A browser, and every page of it in four looks, take their time on a small machine. */
jest.setTimeout(TIMEOUT_MS);

/** Compressed, without what the API answers. */
const FIRST_PAGE_BYTES_MAX = 128 * 1024;

/** Every page, and what it is waited for to show once there is something to show. */
const routes = [
  ['/', /Overview/],
  ['/live', /Live/],
  ['/users', /Seen lately/],
  ['/users/anna-1', /Timeline/],
  ['/events/demo-7-1', /How it was processed/],
  ['/pipeline', /Pipeline/],
  ['/dead-letters', /unknown type/],
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

interface Overview {
  total: number;
  uncounted: number;
}

async function untilCounted(system: System, isEnough: (overview: Overview) => boolean): Promise<void> {
  await until(async () => {
    const overview = await get<Overview>(system, '/stats/overview');
    return overview.uncounted === 0 && isEnough(overview);
  });
}

describeWith(['mongodb', 'chromium'], 'the dashboard', () => {
  beforeAll(async () => {
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

    test('the first page is small', async () => {
      await visit(page, system.url, '/');
      await page.reload({ waitUntil: 'networkidle' });
      const bytes = await page.evaluate<number>(`
        [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
          .filter(({ name }) => !name.includes('/api/'))
          .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`);
      expect(bytes).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(FIRST_PAGE_BYTES_MAX);
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
        await page.getByRole('button', { name: 'Purge …', exact: true }).click();
        await page.getByRole('dialog').waitFor();
        expect(await faultsOf('dialog')).toEqual([]);
        await page.keyboard.press('Escape');
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

  describe('does what people come for', () => {
    let system: System;
    let watched: Watched;
    let page: Page;

    beforeAll(async () => {
      system = await start();
    });
    beforeEach(async () => {
      watched = await openPage(browser);
      page = watched.page;
    });
    afterEach(async () => {
      await page.close();
      expect(watched.complaints).toEqual([]);
    });

    test('the skip link moves the keyboard behind the navigation', async () => {
      await visit(page, system.url, '/send');
      await page.keyboard.press('Tab');
      expect(await page.locator(':focus').textContent()).toBe('Skip to the content');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      expect(await page.locator(':focus').getAttribute('name')).toBe('userId');
      expect(page.url()).toBe(`${system.url}/#/send`);
    });

    test('sends an event and shows it as it is stored', async () => {
      await visit(page, system.url, '/send');
      await page.getByLabel('User id').fill('user-7');
      await page.getByLabel('Event type').fill('order_paid');
      await page.getByLabel('Payload').fill('{"total": 12.5}');
      await page.getByRole('button', { name: 'Send the event' }).click();
      const eventId = await page.locator('form code').textContent();
      await page.getByRole('link', { name: 'See it as it is stored' }).click();
      await page.getByText('How it was processed').waitFor();
      const stored = await get<Activity>(system, `/activities/${eventId}`);
      expect(stored).toMatchObject({ userId: 'user-7', eventType: 'order_paid', payload: { total: 12.5 } });
      expect(await page.getByLabel('Payload').textContent()).toBe('{\n  "total": 12.5\n}');
      expect(await page.locator('main').textContent()).toContain(stored.processing.requestId);
    });

    test('an event that is not stored yet is waited for', async () => {
      await visit(page, system.url, '/events/later-1');
      await page.getByText('looking again each second').waitFor();
      await sendAll(system.url, [{ ...event, eventId: 'later-1' }]);
      await page.getByText('How it was processed').waitFor();
    });

    test('says at the fields what is wrong with them', async () => {
      await visit(page, system.url, '/send');
      await page.getByLabel('User id').fill('user-7');
      await page.getByLabel('Timestamp').fill('yesterday');
      await page.getByRole('button', { name: 'Send the event' }).click();
      await page.getByText('Event type is required').waitFor();
      const type = page.getByLabel('Event type');
      expect(await page.locator(':focus').getAttribute('name')).toBe('eventType');
      expect(await describedBy(page, type)).toContain('Event type is required');
      expect(await describedBy(page, page.getByLabel('Timestamp'))).toContain('ISO 8601 date and time');
      expect(await page.getByLabel('User id').getAttribute('aria-invalid')).toBe('false');

      await type.fill('login');
      await page.getByLabel('Payload').fill('{"total": }');
      await page.getByRole('button', { name: 'Send the event' }).click();
      await page.getByText('Payload is not JSON:').waitFor();
    });

    test('tells when to try again after too many requests', async () => {
      const limited = await start({ RATE_LIMIT_MAX_REQUESTS: '1' });
      await visit(page, limited.url, '/send');
      for (const shown of ['Accepted', /Try again in \d+ s, at /]) {
        await page.getByLabel('User id').fill('user-7');
        await page.getByLabel('Event type').fill('login');
        await page.getByRole('button', { name: 'Send the event' }).click();
        await page.getByText(shown).first().waitFor();
      }
    });

    test('mends a dead letter, which is then stored', async () => {
      const [message = ''] = brokenMessages;
      await system.enqueue([message]);
      await untilStored(system, 0, 1);
      await visit(page, system.url, '/dead-letters');
      await page.getByRole('link', { name: /order_paid invalid-event/ }).click();
      const text = page.getByLabel('The event, as JSON');
      await text.fill('{"userId": "anna-4"}');
      await page.getByRole('button', { name: 'Replay as edited' }).click();
      await page.getByText('eventType is required').waitFor();
      await text.fill(message.replace('yesterday', '2026-02-19T10:00:00Z'));
      await page.getByRole('button', { name: 'Replay as edited' }).click();
      await page.getByRole('link', { name: 'import-7731' }).click();
      await page.getByText('How it was processed').waitFor();
      expect(await get(system, '/dead-letters')).toMatchObject({ deadLetters: [] });
    });

    test('asks before it purges', async () => {
      await system.enqueue(brokenMessages.slice(1));
      await until(async () => (await lettersOf(system)).length === brokenMessages.length - 1);
      const kept = await lettersOf(system);
      await visit(page, system.url, '/dead-letters');
      await page.getByLabel('Reason').selectOption('invalid-json');
      await page.getByRole('button', { name: 'Purge all invalid-json' }).click();
      await page.getByRole('dialog').getByText('cannot be undone').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await lettersOf(system)).toEqual(kept);

      await page.getByRole('button', { name: 'Purge all invalid-json' }).click();
      await page.getByRole('button', { name: 'Purge for good' }).click();
      await page.getByText('2 letters purged').waitFor();
      expect((await lettersOf(system)).map(({ reason }) => reason)).toEqual([
        'invalid-event',
        'invalid-event',
      ]);

      await page.getByLabel('Reason').selectOption('all reasons');
      await page.getByRole('button', { name: 'Replay all' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
      await page.getByText('0 letters replayed. 2 letters must be edited first').waitFor();
    });

    describe('shows what is in events as text, whatever it is', () => {
      const hostile = {
        eventId: '<b>id</b>/../%2e',
        userId: '<img src=x onerror=alert(1)>%',
        eventType: '<script>alert(2)</script>',
        timestamp: new Date().toISOString(),
        payload: {
          path: 'javascript:alert(3)',
          html: '<a href="javascript:alert(4)">x</a>',
          '"><svg onload=alert(5)>': 1,
        },
      };

      beforeAll(async () => {
        await sendAll(system.url, [hostile]);
        await untilCounted(system, (overview) => overview.total > 0);
      });

      test.each([
        '/users',
        `/users/${encodeURIComponent(hostile.userId)}`,
        `/events/${encodeURIComponent(hostile.eventId)}`,
        '/live',
        '/',
      ])('%s', async (route) => {
        await visit(page, system.url, route);
        await page.locator('main').getByText(hostile.eventType).first().waitFor();
        const made = page.locator('main').locator('img, script, svg[onload], [href^="javascript"]');
        expect(await made.count()).toBe(0);
      });
    });

    test('says that the API is away, and goes on when it is back', async () => {
      await visit(page, system.url, '/users');
      await page.getByText('Seen lately').waitFor();
      await page.getByRole('link', { name: 'Pipeline' }).click();
      await page.getByRole('heading', { name: 'Pipeline' }).waitFor();
      await page.locator('main').getByText('Stored').first().waitFor();
      await system.api().stop();
      const notice = page.getByText('The API does not answer');
      await notice.first().waitFor();
      await system.restartApi();
      await notice.first().waitFor({ state: 'detached' });
    });

    test('shows live what is stored, holds it back while paused, and filters', async () => {
      const live = (eventType: string, n: number) => ({
        ...{ ...event, eventId: `live-${eventType}-${n}`, userId: 'live-1', eventType },
        timestamp: new Date().toISOString(),
      });
      await visit(page, system.url, '/live');
      await page.getByText('Listening').waitFor();
      await sendAll(system.url, [live('first', 1)]);
      await page.getByRole('row', { name: /first/ }).waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      await sendAll(system.url, [live('second', 1), live('second', 2)]);
      const resume = page.getByRole('button', { name: 'Resume with 2 new events' });
      await resume.waitFor();
      expect(await page.getByRole('row', { name: /second/ }).count()).toBe(0);
      await resume.click();
      await page
        .getByRole('row', { name: /second/ })
        .nth(1)
        .waitFor();

      await page.getByLabel('Event type').fill('second');
      await page.keyboard.press('Enter');
      await page.getByRole('row', { name: /first/ }).waitFor({ state: 'detached' });
      await page
        .getByRole('row', { name: /second/ })
        .nth(1)
        .waitFor();
      await sendAll(system.url, [live('first', 2), live('second', 3)]);
      await page
        .getByRole('row', { name: /second/ })
        .nth(2)
        .waitFor();
      expect(await page.getByRole('row', { name: /first/ }).count()).toBe(0);
    });

    test('shows beside the shop what is done in it', async () => {
      await visit(page, system.url, '/shop');
      const stored = page.getByLabel('Stored events, newest first');
      await stored.getByText('page_view').waitFor();
      await page.getByRole('button', { name: 'Add Eleven Winters to the cart' }).click();
      await page.getByRole('button', { name: 'Order' }).click();
      await stored.getByText('order_placed').waitFor();
      await page.getByRole('link', { name: 'Authors', exact: true }).click();
      await stored.getByText('/shop/authors').first().waitFor();
      await page.getByText('Ada Novak').hover();
      await stored.getByText('hover').first().waitFor();

      const visitor = (await page.locator('.shop-visitor a').textContent()) ?? '';
      const { activities } = await get<{ activities: Tracked[] }>(system, `/activities?userId=${visitor}`);
      const types = activities.map(({ eventType }) => eventType);
      expect(types.filter((type) => type === 'add_to_cart')).toHaveLength(1);
      const order = activities.find(({ eventType }) => eventType === 'order_placed');
      expect(order?.payload).toMatchObject({ component: 'Cart', total: 19.5, items: 1 });
    });

    test('counts in the overview what was sent', async () => {
      const counted = await start();
      const events = createDemoEvents(3, new Date(), 0.8, 60);
      await sendAll(counted.url, events);
      const visitors = new Set(events.map(({ userId }) => userId)).size;
      const paid = events.filter(({ eventType }) => eventType === 'order_paid').length;
      await until(
        async () => (await get<{ total: number }>(counted, '/stats/overview?interval=hour')).total > 0,
      );
      await untilCounted(counted, ({ total }) => total === events.length);
      await visit(page, counted.url, '/');
      await page.getByText(String(events.length)).first().waitFor();
      expect(await page.locator('.metrics').textContent()).toContain(String(visitors));
      expect(await page.getByRole('row', { name: /^order_paid/ }).textContent()).toContain(
        `order_paid${paid}`,
      );
    });
  });

  test('asks for the admin key, and keeps it no longer than the tab', async () => {
    const system = await start({ ADMIN_KEY: 'the-right-key-of-this-test' });
    const { page } = await openPage(browser);
    await page.goto(`${system.url}/#/users`);
    await page.getByLabel('Admin key').fill('a-wrong-key');
    await page.getByRole('button', { name: 'Use this key' }).click();
    await page.getByText('The API did not take this key.').waitFor();
    expect(await faultsInAllLooks(page)).toEqual([]);
    await page.getByLabel('Admin key').fill('the-right-key-of-this-test');
    await page.getByRole('button', { name: 'Use this key' }).click();
    await page.getByText('Nobody yet').waitFor();
    await page.reload();
    await page.getByText('Nobody yet').waitFor();
    expect(await page.evaluate('JSON.stringify(localStorage) + document.cookie')).not.toContain('right-key');

    const { page: another } = await openPage(browser);
    await another.goto(`${system.url}/#/users`);
    await another.getByLabel('Admin key').waitFor();
    await Promise.all([page.close(), another.close()]);
  });
});

const event = { userId: 'user-1', eventType: 'login', timestamp: '2026-02-19T10:00:00.000Z', payload: {} };

interface Activity {
  processing: { requestId: string };
}

interface Tracked {
  eventType: string;
  payload: Record<string, unknown>;
}

interface Letter {
  id: string;
  reason: string;
}

async function lettersOf(system: System): Promise<Letter[]> {
  return (await get<{ deadLetters: Letter[] }>(system, '/dead-letters')).deadLetters;
}

/** What a screen reader says of a field besides its label. */
async function describedBy(page: Page, field: Locator): Promise<string> {
  const ids = ((await field.getAttribute('aria-describedby')) ?? '').split(' ');
  const texts = await Promise.all(ids.map((id) => page.locator(`[id="${id}"]`).textContent()));
  return texts.join(' ');
}
