import express, { type RequestHandler, Router } from 'express';
import { parseJson } from '@event-tracker/shared/json';
import { Problem } from '../problems.ts';

// Browsers send beacons as text/plain to avoid a preflight, and some clients send JSON with curl's or a form's label.
const JSON_LABEL =
  /^(?:application\/(?:.+\+)?json|text\/plain|application\/x-www-form-urlencoded)\s*(?:;|$)/i;

/** Reads the body as JSON into `req.body`; gzip, deflate and br are inflated, and `bytesMax` counts what comes out. */
export function jsonBody(bytesMax: number): RequestHandler[] {
  return [requireJsonLabel, express.raw({ limit: bytesMax, type: () => true }), parseBody];
}

/** The same for a request that may have no body: `req.body` is then undefined. */
export function optionalJsonBody(bytesMax: number): RequestHandler {
  const read = Router().use(jsonBody(bytesMax));
  return (req, res, next) => {
    const hasBody = req.get('transfer-encoding') !== undefined || Number(req.get('content-length') ?? 0) > 0;
    if (hasBody) read(req, res, next);
    else next();
  };
}

const requireJsonLabel: RequestHandler = (req, _res, next) => {
  const label = req.get('content-type');
  if (label !== undefined && !JSON_LABEL.test(label)) {
    throw new Problem(
      'unsupported-media-type',
      `Content-Type ${label.slice(0, 100)} is not JSON; send application/json.`,
    );
  }
  next();
};

const parseBody: RequestHandler = (req, _res, next) => {
  const bytes: unknown = req.body;
  if (!Buffer.isBuffer(bytes) || bytes.length === 0)
    throw new Problem('invalid-json', 'The body is empty; send a JSON text.');
  try {
    req.body = parseJson(bytes);
  } catch (error) {
    throw new Problem('invalid-json', `The body is not JSON in UTF-8: ${(error as Error).message}`);
  }
  next();
};
