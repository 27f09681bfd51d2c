import { type BrowserContext, chromium } from 'playwright-core';
import { findChromium } from './find.ts';
import { temporaryFolder } from './service.ts';

/** Everything that would make Chromium talk to anybody but the pages that it is given, or need a display. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

type Options = NonNullable<Parameters<typeof chromium.launchPersistentContext>[1]>;

/**
 * Starts headless Chromium with a profile of its own, or with the one in `profile`, which outlives it: what pages have
 * kept in the browser is there again the next time. Whoever starts it closes it.
 */
export async function openBrowser(options: Options & { profile?: string } = {}): Promise<BrowserContext> {
  const { profile = await temporaryFolder('chromium'), args = [], ...launch } = options;
  return chromium.launchPersistentContext(profile, {
    executablePath: findChromium(),
    args: [...ARGUMENTS, ...args],
    ...launch,
  });
}
