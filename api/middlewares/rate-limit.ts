import { type BlockList, isIPv6 } from 'node:net';
import { type Request, type RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit, type RateLimitInfo, type Store } from 'express-rate-limit';
import { type Logger } from '@event-tracker/shared/logger';
import { type ApiConfig } from '../config.ts';
import { Problem } from '../problems.ts';
import { apiCounts } from '../services/metrics.ts';
import { createRateLimitHeaders } from './rate-limit-headers.ts';

export type RateLimitStore = Store;

/** Bits of an IPv6 address that count: the network that a provider gives to one customer at least. */
const IPV6_SUBNET = 64;

/** Counts the requests of each address, and refuses or reports those past the limit, as `RATE_LIMIT_MODE` says. */
export function rateLimiter(config: ApiConfig, store: RateLimitStore, logger: Logger): RequestHandler {
  if (config.RATE_LIMIT_MODE === 'off') return (_req, _res, next) => next();

  const setHeaders = createRateLimitHeaders(config.RATE_LIMIT_WINDOW_MS);
  const limit = rateLimit({
    windowMs: config.RATE_LIMIT_WINDOW_MS,
    limit: config.RATE_LIMIT_MAX_REQUESTS,
    keyGenerator: ({ address }) =>
      address.includes(':') && isIPv6(address) ? ipKeyGenerator(address, IPV6_SUBNET) : address,
    standardHeaders: false,
    legacyHeaders: false,
    store,
    skip: allowed(config.RATE_LIMIT_ALLOWLIST),
    handler: (req, res, next) => {
      apiCounts.rateLimited += 1;
      const info = infoOf(req)!;
      const { used, limit } = info;
      // One line an address and window; a flood must not become a flood of log entries.
      if (used === limit + 1)
        logger.warn({ ip: req.address, limit, mode: config.RATE_LIMIT_MODE }, 'rate limit exceeded');
      if (config.RATE_LIMIT_MODE === 'observe') return next();
      res.setHeader('Retry-After', setHeaders(res, info));
      next(
        new Problem(
          'rate-limited',
          `More than ${limit} requests in ${config.RATE_LIMIT_WINDOW_MS / 1000} s.`,
        ),
      );
    },
    logger: {
      warn: (error, message) => logger.warn({ err: error }, message ?? 'rate limiter'),
      error: (error, message) => logger.error({ err: error }, message ?? 'rate limiter'),
    },
  });
  return (req, res, next) => {
    // The address of a client that is gone already is not known any more, and nobody waits for an answer.
    if (!req.address) res.destroy();
    else
      void limit(req, res, (error?: unknown) => {
        const info = infoOf(req);
        if (info && error === undefined) setHeaders(res, info);
        next(error);
      });
  };
}

/** What express-rate-limit has found out of a request; nothing of one that is never limited. */
function infoOf(req: Request): RateLimitInfo | undefined {
  return (req as { rateLimit?: RateLimitInfo }).rateLimit;
}

function allowed(allowlist: BlockList): (req: Request) => boolean {
  if (allowlist.rules.length === 0) return () => false;
  return ({ address }) => allowlist.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
