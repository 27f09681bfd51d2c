import { type RequestHandler } from 'express';
import { type Readiness } from '../services/readiness.ts';

/** 200 for as long as the process lives. */
export const health: RequestHandler = (_req, res) => {
  res.json({ status: 'ok' });
};

/** 200 while events can be accepted; 503 names what is missing. */
export function ready(readiness: Readiness): RequestHandler {
  return async (_req, res) => {
    const { ready: isReady, checks } = await readiness.report();
    if (!isReady) res.set('Retry-After', '1');
    res.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'unavailable', checks });
  };
}
