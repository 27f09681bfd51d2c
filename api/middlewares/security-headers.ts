import { type IncomingMessage, ServerResponse } from 'node:http';
import { type RequestHandler } from 'express';
import helmet from 'helmet';

/** The headers of helmet. They are the same for every answer, so helmet is asked once. */
export function securityHeaders(): RequestHandler {
  const headers = constantHeaders(helmet());
  return (_req, res, next) => {
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** What a middleware sets that sets the same headers for every request. */
export function constantHeaders(middleware: Middleware): [string, string][] {
  const request = {} as IncomingMessage;
  const response = new ServerResponse(request);
  middleware(request, response, () => undefined);
  return Object.entries(response.getHeaders()) as [string, string][];
}
