/**
 * npm run screenshots: starts everything on free ports, fills it with the visits of a small shop, and takes the pictures
 * of the dashboard in docs/screenshots.
 */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Page } from 'playwright-core';
import { startMongod } from '../mongod/start.ts';
import { root } from '../programs.ts';
import { openBrowser } from '../services/browser.ts';
import { brokenMessages, createDemoEvents } from './demo-events.ts';
import { sendAll, startSystem, type System } from './system.ts';

const FOLDER = path.join(root, 'docs/screenshots');
/** So that the repository stays small. */
const PICTURE_BYTES_MAX = 250 * 1024;
const DAYS = 30;
const VISITS = 3000;

interface Picture {
  name: string;
  route: string;
  /** What the page is waited for to show. */
  shows: string;
  dark?: boolean;
  narrow?: boolean;
  act?: (page: Page) => Promise<void>;
}
