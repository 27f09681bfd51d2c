import { AxeBuilder } from '@axe-core/playwright';
import { type BrowserContext, type Page } from 'playwright-core';

/** Everything that the guidelines of 2.0 to 2.2 ask for at A and AA, as far as a program can tell. */
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** What the browser says of an answer of 400 or more; the page has words of its own for it. */
const FAILED_REQUEST = 'Failed to load resource';

const looks = (['light', 'dark'] as const).flatMap((colorScheme) =>
  [1440, 360].map((width) => ({ colorScheme, width })),
);

/** A page, and what it has complained of: errors, and violations of the content security policy among them. */
export interface Watched {
  page: Page;
  complaints: string[];
}

export async function openPage(context: BrowserContext): Promise<Watched> {
  const page = await context.newPage();
  // Less than a test has, so that a failure names what it waited for.
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on('console', (message) => {
    const text = message.text();
    if (['error', 'warning'].includes(message.type()) && !text.startsWith(FAILED_REQUEST))
      complaints.push(text);
  });
  await page.emulateMedia({ reducedMotion: 'reduce' });
  return { page, complaints };
}

/** Goes to a route and waits until it shows what it has. */
export async function visit(page: Page, url: string, route: string): Promise<void> {
  await page.goto(`${url}/#${route}`);
  await page.locator('h1').first().waitFor();
  await page.locator('.skeleton').waitFor({ state: 'detached' });
}

/** Whatever is wrong with how the page looks, in light and dark, wide and narrow. */
export async function faultsInAllLooks(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const { colorScheme, width } of looks) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(UNTIL_DRAWN);
    const found = [...(await violations(page)), ...(await overflow(page))];
    faults.push(...found.map((fault) => `${colorScheme} ${width}: ${fault}`));
  }
  return faults;
}

async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).withTags(WCAG).analyze();
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
}

/** The page as a whole is never to be scrolled sideways. */
async function overflow(page: Page): Promise<string[]> {
  const widths = '[document.documentElement.scrollWidth, document.documentElement.clientWidth]';
  const [content = 0, window = 0] = await page.evaluate<number[]>(widths);
  return content > window ? [`${content} px are wider than the window`] : [];
}

// What runs in the browser is text here: the tests are compiled without its types.
/** Resolves when the page has been drawn anew and no colour is on its way to another any more. */
const UNTIL_DRAWN = `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() =>
  Promise.allSettled(
    document.getAnimations().filter((one) => one instanceof CSSTransition).map(({ finished }) => finished)))`;

const NUMBER_CONTROLS = `
  const controls = 'a[href], button:enabled, input, select, textarea, summary, [tabindex="0"]';
  [...document.querySelectorAll(controls)]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .forEach((element, index) => element.setAttribute('data-control', index));
  document.activeElement?.blur();
  getSelection()?.removeAllRanges();`;

const FOCUSED = `(() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return {
    control: document.activeElement.getAttribute('data-control'),
    isEnd: document.activeElement === document.body,
    isSeen: outlineStyle !== 'none' && outlineWidth !== '0px',
    html: document.activeElement.outerHTML.slice(0, 160),
  };
})()`;

/** Those that are still there: events go, and others come. */
const LEFT_CONTROLS = `
  [...document.querySelectorAll('[data-control]')].map((one) => [one.getAttribute('data-control'), one.innerText])`;

interface Focused {
  /** Null for what has come meanwhile, as events do. */
  control: string | null;
  isEnd: boolean;
  isSeen: boolean;
  html: string;
}

/** What cannot be reached by Tab alone from the top of the page on, and where one does not see where one is. */
export async function tabThrough(page: Page): Promise<{ unreached: string[]; unseen: string[] }> {
  await page.evaluate(NUMBER_CONTROLS);
  const reached = new Set<string | null>();
  const unseen: string[] = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const { control, isEnd, isSeen, html } = await page.evaluate<Focused>(FOCUSED);
    if (isEnd || (control !== null && reached.has(control))) break;
    reached.add(control);
    if (!isSeen) unseen.push(html);
  }
  const left = await page.evaluate<[control: string, text: string][]>(LEFT_CONTROLS);
  return { unreached: left.filter(([control]) => !reached.has(control)).map(([, text]) => text), unseen };
}
