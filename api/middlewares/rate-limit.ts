import { isIPv6 } from 'node:net';
import { type RequestHandler } from 'express';
import { rateLimit, type RateLimitInfo, type Store } from 'express-rate-limit';
import { type Logger } from '@event-tracker/shared/logger';
import { type ApiConfig } from '../config.ts';
import { Problem } from '../problems.ts';
import { apiCounts } from '../services/metrics.ts';

export type RateLimitStore = Store;

/** Counts the requests of each address, and refuses or reports those past the limit, as `RATE_LIMIT_MODE` says. */
export function rateLimiter(config: ApiConfig, store: RateLimitStore, logger: Logger): RequestHandler {
  if (config.RATE_LIMIT_MODE === 'off') return (_req, _res, next) => next();

  const limit = rateLimit({
    windowMs: config.RATE_LIMIT_WINDOW_MS,
    limit: config.RATE_LIMIT_MAX_REQUESTS,
    ipv6Subnet: 64,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store,
    skip: ({ ip = '' }) => config.RATE_LIMIT_ALLOWLIST.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4'),
    handler: (req, res, next) => {
      apiCounts.rateLimited += 1;
      const { used, limit } = (req as unknown as { rateLimit: RateLimitInfo }).rateLimit;
      // One line an address and window; a flood must not become a flood of log entries.
      if (used === limit + 1)
        logger.warn({ ip: req.ip, limit, mode: config.RATE_LIMIT_MODE }, 'rate limit exceeded');
      if (config.RATE_LIMIT_MODE === 'observe') {
        res.removeHeader('Retry-After');
        next();
        return;
      }
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
    if (!req.ip) res.destroy();
    else void limit(req, res, next);
  };
}
