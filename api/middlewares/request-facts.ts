import { type Request, type RequestHandler } from 'express';
import { createId } from '@event-tracker/shared/id';
import { type ApiConfig } from '../config.ts';
import { writeHeader } from '../header-text.ts';

declare module 'express-serve-static-core' {
  interface Request {
    /** Names this request in answers, logs and stored events. */
    id: string;
    /** `req.ip`, which Express finds out anew each time; an IPv4 address as such. Empty once the client is gone. */
    address: string;
  }
}

const ACCEPTABLE = /^[\w.:-]{1,128}$/;
// A dual-stack socket names an IPv4 client as ::ffff:203.0.113.7.
const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i;

/**
 * Takes over the client's `X-Request-Id` where it is plain and short, makes one otherwise, and sends it back; finds out
 * who the client is.
 */
export function requestFacts({ TRUST_PROXY }: Pick<ApiConfig, 'TRUST_PROXY'>): RequestHandler {
  // Without a proxy to trust `req.ip` is the same, after a look at X-Forwarded-For.
  const addressOf =
    TRUST_PROXY === false ? (req: Request) => req.socket.remoteAddress : (req: Request) => req.ip;
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    req.id = typeof given === 'string' && ACCEPTABLE.test(given) ? given : createId();
    req.address = addressOf(req)?.replace(MAPPED_IPV4, '') ?? '';
    writeHeader(res, 'X-Request-Id', req.id);
    next();
  };
}
