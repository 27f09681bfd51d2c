import { type RequestHandler } from 'express';
import helmet from 'helmet';
import { constantHeaders } from '../constant-headers.ts';

/** The headers of helmet, which are the same for every answer. */
export function securityHeaders(): RequestHandler {
  const setHeaders = constantHeaders(helmet());
  return (_req, res, next) => {
    setHeaders(res);
    next();
  };
}
