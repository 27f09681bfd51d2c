import { type ErrorRequestHandler } from 'express';
import { QueueUnavailable, StoreUnavailable } from '@event-tracker/shared/errors';
import { type Logger } from '@event-tracker/shared/logger';
import { Problem, problems } from '../problems.ts';
import { rejectedRequests } from '../services/metrics.ts';

/** What a client is asked to wait after a 503. */
const RETRY_AFTER_SECONDS = 1;

/** While a part is away every request fails for the same reason: one log entry of each problem in this time tells it. */
const LOG_INTERVAL_MS = 10_000;

/**
 * Turns every error into a problem document (RFC 9457), or into what `shape` makes of it for clients that know another
 * form. What is no fault of the client is logged, never shown.
 */
export function errorHandler(logger: Logger, shape?: (problem: Problem) => object): ErrorRequestHandler {
  const logUnavailable = atIntervals((fields, title) => logger.warn(fields, title));
  return (error: unknown, req, res, next) => {
    if (res.headersSent) {
      next(error);
      return;
    }
    const problem = asProblem(error);
    const { code, message, details } = problem;
    const { status, title } = problems[code];
    rejectedRequests.inc({ reason: code });
    if (status === 500) logger.error({ err: error, requestId: req.id }, title);
    if (status === 503) {
      logUnavailable({ err: error, requestId: req.id }, title);
      res.set('Retry-After', String(RETRY_AFTER_SECONDS));
    }
    if (shape) {
      res.status(status).json(shape(problem));
      return;
    }
    res.status(status).type('application/problem+json');
    res.send(
      JSON.stringify({
        type: `urn:event-tracker:problem:${code}`,
        title,
        status,
        detail: message,
        code,
        details,
        requestId: req.id,
      }),
    );
  };
}

type Log = (fields: Record<string, unknown>, title: string) => void;

/** Passes on one entry of each title in `LOG_INTERVAL_MS`, and with it how many were left out since the one before. */
function atIntervals(log: Log): Log {
  const last = new Map<string, { at: number; leftOut: number }>();
  return (fields, title) => {
    const now = performance.now();
    const { at, leftOut } = last.get(title) ?? { at: -Infinity, leftOut: 0 };
    if (now - at < LOG_INTERVAL_MS) {
      last.set(title, { at, leftOut: leftOut + 1 });
      return;
    }
    last.set(title, { at: now, leftOut: 0 });
    log(leftOut > 0 ? { ...fields, leftOut } : fields, title);
  };
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof QueueUnavailable)
    return new Problem('queue-unavailable', 'Send it again; nothing is stored twice.');
  if (error instanceof StoreUnavailable)
    return new Problem('store-unavailable', 'Events are still accepted.');
  // Express marks what the client did wrong with a 4xx `status`.
  const { status, message } = error as { status?: number; message?: string };
  if (status !== undefined && status >= 400 && status < 500) {
    return new Problem('bad-request', message ?? '');
  }
  return new Problem('internal', 'The fault is logged under the request’s id.');
}
