import { createHash } from 'node:crypto';
import { type Response } from 'express';
import { type RateLimitInfo } from 'express-rate-limit';
import { writeHeader } from '../header-text.ts';

/** Clients whose policy is kept as text; with one more all are made anew. */
const POLICIES_MAX = 10_000;
const UNITS = [
  { name: 'day', ms: 86_400_000 },
  { name: 'hr', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
];

interface Policy {
  name: string;
  /** What `RateLimit-Policy` says. */
  text: string;
}

/**
 * Sets `RateLimit` and `RateLimit-Policy` (IETF draft ratelimit-headers-08) as express-rate-limit does by `draft-8`,
 * which hashes the client's key for each request: that and its checks took a twentieth of a request's time. Returns the
 * seconds until the window ends.
 */
export function createRateLimitHeaders(windowMs: number): (res: Response, info: RateLimitInfo) => number {
  const policies = new Map<string, Policy>();

  function policyOf({ limit, key }: RateLimitInfo): Policy {
    const known = policies.get(key);
    if (known !== undefined) return known;
    if (policies.size === POLICIES_MAX) policies.clear();
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 12);
    const partition = Buffer.from(hash).toString('base64');
    const name = `"${limit}-in-${duration(windowMs)}"`;
    const policy = { name, text: `${name}; q=${limit}; w=${Math.ceil(windowMs / 1000)}; pk=:${partition}:` };
    policies.set(key, policy);
    return policy;
  }

  return (res, info) => {
    const { remaining, resetTime } = info;
    const leftMs = resetTime ? resetTime.getTime() - Date.now() : windowMs;
    const seconds = Math.max(0, Math.ceil(leftMs / 1000));
    const { name, text } = policyOf(info);
    writeHeader(res, 'RateLimit', `${name}; r=${remaining}; t=${seconds}`);
    writeHeader(res, 'RateLimit-Policy', text);
    return seconds;
  };
}

/** The largest unit of which the window has at least one, as in `1min`, `2hrs`, `45sec`. */
function duration(windowMs: number): string {
  const { name, ms } = UNITS.find((unit) => windowMs >= unit.ms) ?? { name: 'sec', ms: 1000 };
  const count = windowMs / ms;
  return `${count}${name}${count > 1 && (name === 'hr' || name === 'day') ? 's' : ''}`;
}
