import { type RequestHandler } from 'express';
import { createId } from '@event-tracker/shared/id';

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
export const requestFacts: RequestHandler = (req, res, next) => {
  const given = req.headers['x-request-id'];
  req.id = typeof given === 'string' && ACCEPTABLE.test(given) ? given : createId();
  req.address = req.ip?.replace(MAPPED_IPV4, '') ?? '';
  res.setHeader('X-Request-Id', req.id);
  next();
};
