import express, { type Express, type Request, type RequestHandler } from 'express';
import { createId } from '@event-tracker/shared/id';
import { type ApiConfig } from '../config.ts';
import { writeHeader } from '../header-text.ts';

declare module 'express-serve-static-core' {
  interface Request {
    /** Names this request in answers, logs and stored events. */
    id: string;
    /** As `req.ip`: an IPv4 address as such. Empty once the client is gone. */
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
export function requestFacts(app: Express, { TRUST_PROXY }: Pick<ApiConfig, 'TRUST_PROXY'>): RequestHandler {
  const ipOf = (req: Request) => Reflect.get(express.request, 'ip', req);
  // Without a proxy to trust `req.ip` is the same, after a look at X-Forwarded-For.
  const addressOf = TRUST_PROXY === false ? (req: Request) => req.socket.remoteAddress : ipOf;
  // Express finds it out anew each time, and express-rate-limit asks for it too.
  Object.defineProperty(app.request, 'ip', {
    get(this: Request) {
      return this.address;
    },
  });
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    req.id = typeof given === 'string' && ACCEPTABLE.test(given) ? given : createId();
    req.address = addressOf(req)?.replace(MAPPED_IPV4, '') ?? '';
    writeHeader(res, 'X-Request-Id', req.id);
    next();
  };
}
