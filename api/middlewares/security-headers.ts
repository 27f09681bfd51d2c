import { type IncomingMessage, ServerResponse } from 'node:http';
import { type RequestHandler } from 'express';
import helmet from 'helmet';

/** The headers of helmet. They are the same for every answer, so helmet is asked once. */
export function securityHeaders(): RequestHandler {
  const request = {} as IncomingMessage;
  const response = new ServerResponse(request);
  helmet()(request, response, () => undefined);
  const headers = Object.entries(response.getHeaders()) as [string, string][];
  return (_req, res, next) => {
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}
