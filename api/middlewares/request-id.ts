import { type RequestHandler } from 'express';
import { uuidv7 } from 'uuidv7';

declare module 'express-serve-static-core' {
  interface Request {
    /** Names this request in answers, logs and stored events. */
    id: string;
  }
}

const ACCEPTABLE = /^[\w.:-]{1,128}$/;

/** Takes over the client's `X-Request-Id` where it is plain and short, makes one otherwise, and sends it back. */
export const requestId: RequestHandler = (req, res, next) => {
  const given = req.get('x-request-id');
  req.id = given !== undefined && ACCEPTABLE.test(given) ? given : uuidv7();
  res.set('X-Request-Id', req.id);
  next();
};
