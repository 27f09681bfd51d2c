import { type RequestHandler } from 'express';
import { type Readiness } from '@event-tracker/shared/readiness';

/** 200 for as long as the process lives. */
export const health: RequestHandler = (_req, res) => {
  res.json({ status: 'ok' });
};

/** 200 while events can be accepted; 503 names what is missing. */
export function ready(readiness: Readiness): RequestHandler {
  return async (_req, res) => {
    const report = await readiness.report();
    if (report.status === 'unavailable') res.set('Retry-After', '1');
    res.status(report.status === 'ready' ? 200 : 503).json(report);
  };
}
