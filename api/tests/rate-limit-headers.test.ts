import { type IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type Response } from 'express';
import { MemoryStore, rateLimit } from 'express-rate-limit';
import request from 'supertest';
import { createRateLimitHeaders } from '../middlewares/rate-limit-headers.ts';
import { activity, closeServers, createTestApi, listenAs, post } from './support.ts';

afterEach(() => {
  jest.restoreAllMocks();
  return closeServers();
});

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What express-rate-limit sets itself of the same requests. */
function draft8(windowMs: number, limit: number): Express {
  const app = express();
  app.use(
    rateLimit({
      windowMs,
      limit,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      store: new MemoryStore(),
    }),
  );
  return app.use((_req, res) => void res.end());
}

it.each([
  [1 * SECOND, 50],
  [1.5 * SECOND, 1],
  [45 * SECOND, 50],
  [MINUTE, 50],
  [90 * SECOND, 7],
  [10 * MINUTE, 1000],
  [HOUR, 50],
  [2 * HOUR, 2],
  [24 * HOUR, 50],
  [36 * HOUR, 50],
])('for a window of %i ms and %i requests they are those of express-rate-limit', async (windowMs, limit) => {
  // Both have the same time, so that what is left of the window is the same.
  jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2024, 0, 1));
  const settings = { RATE_LIMIT_WINDOW_MS: String(windowMs), RATE_LIMIT_MAX_REQUESTS: String(limit) };
  const ours = await listenAs(createTestApi(settings).app, '203.0.113.7');
  const theirs = await listenAs(draft8(windowMs, limit), '203.0.113.7');
  for (let count = 0; count < 3; count++) {
    const [one, other] = [await post(ours, activity()), await request(theirs).get('/')];
    expect(one.get('RateLimit-Policy')).toBe(other.get('RateLimit-Policy'));
    expect(one.get('RateLimit')).toBe(other.get('RateLimit'));
    expect(one.status).toBe(count < limit ? 202 : 429);
    expect(one.get('Retry-After')).toBe(other.get('Retry-After'));
  }
});

/** Sets the headers of one request that is counted. */
function headersOf(setHeaders: ReturnType<typeof createRateLimitHeaders>, key: string, resetTime?: Date) {
  const res = new ServerResponse({} as IncomingMessage);
  const seconds = setHeaders(res as Response, { key, limit: 50, used: 2, remaining: 48, resetTime });
  return { seconds, limit: res.getHeader('RateLimit'), policy: res.getHeader('RateLimit-Policy') };
}

it('each client has the policy of its own, however many there are and come again', () => {
  const setHeaders = createRateLimitHeaders(MINUTE);
  const clients = Array.from({ length: 10_050 }, (_, index) => `client-${index}`);
  const policies = clients.map((key) => headersOf(setHeaders, key).policy);
  expect(new Set(policies).size).toBe(clients.length);
  for (const [index, key] of clients.entries())
    if (headersOf(setHeaders, key).policy !== policies[index]) throw new Error(`${key} has another one`);
});

it('what is left of the window is never below nothing, and all of it where nobody knows', () => {
  const setHeaders = createRateLimitHeaders(MINUTE);
  const left = (ms: number) => headersOf(setHeaders, 'client', new Date(Date.now() + ms)).seconds;
  jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2024, 0, 1));
  expect([left(-5000), left(0), left(1), left(1000), left(1001)]).toEqual([0, 0, 1, 1, 2]);
  expect(headersOf(setHeaders, 'client')).toMatchObject({ seconds: 60, limit: '"50-in-1min"; r=48; t=60' });
});
