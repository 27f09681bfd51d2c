import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import express, { type RequestHandler } from 'express';
import { parseJson } from '@event-tracker/shared/json';
import { Problem } from '../problems.ts';

// Browsers send beacons as text/plain to avoid a preflight, and some clients send JSON with curl's or a form's label.
const JSON_LABEL =
  /^(?:application\/(?:.+\+)?json|text\/plain|application\/x-www-form-urlencoded)\s*(?:;|$)/i;

const inflaters = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync };

/** Reads the body as JSON into `req.body`; gzip, deflate and br are inflated, and `bytesMax` counts what comes out. */
export function jsonBody(bytesMax: number): RequestHandler[] {
  const readBytes = express.raw({ limit: bytesMax, type: () => true });
  return [requireJsonLabel, inflated(readBytes, bytesMax), parseBody];
}

/**
 * Inflates only what has been read to its end, and here and now: an inflater may hold 16 MiB, which hundreds of slow or
 * hostile clients would otherwise take at once, and each thread for itself. It takes less time than parsing the JSON.
 */
function inflated(readBytes: RequestHandler, bytesMax: number): RequestHandler {
  return (req, res, next) => {
    const encoding = (req.get('content-encoding') || 'identity').toLowerCase();
    if (encoding === 'identity') {
      readBytes(req, res, next);
      return;
    }
    if (!Object.hasOwn(inflaters, encoding))
      throw new Problem('unsupported-media-type', 'Content-Encoding must be gzip, deflate or br.');
    const inflate = inflaters[encoding as keyof typeof inflaters];
    // What is read is not to be inflated while it comes in.
    delete req.headers['content-encoding'];
    readBytes(req, res, (error?: unknown) => {
      if (error) {
        next(error);
        return;
      }
      const bytes = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
      try {
        req.body = inflate(bytes, { maxOutputLength: bytesMax });
      } catch (fault) {
        next(asProblem(fault as NodeJS.ErrnoException, encoding));
        return;
      }
      next();
    });
  };
}

function asProblem({ code, message }: NodeJS.ErrnoException, encoding: string): Problem {
  return code === 'ERR_BUFFER_TOO_LARGE'
    ? new Problem('body-too-large', 'The body is too large once it is inflated.')
    : new Problem('bad-request', `The body is not ${encoding}: ${message}`);
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
