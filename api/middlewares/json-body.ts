import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { type IncomingHttpHeaders } from 'node:http';
import { type RequestHandler } from 'express';
import { type Json, readJson } from '@event-tracker/shared/json';
import { type Sent } from '@event-tracker/shared/message';
import { Problem } from '../problems.ts';
import { readBody } from './read-body.ts';

// Browsers send beacons as text/plain to avoid a preflight, and some clients send JSON with curl's or a form's label.
const JSON_LABEL =
  /^(?:application\/(?:.+\+)?json|text\/plain|application\/x-www-form-urlencoded)\s*(?:;|$)/i;

const inflaters = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync };

declare module 'express-serve-static-core' {
  interface Request {
    /** What `req.body` was read from, inflated, and what `readJson` says of it. */
    sent?: (Sent & Pick<Json, 'isPlain'>) | undefined;
  }
}

/** Reads the body as JSON into `req.body`; gzip, deflate and br are inflated, and `bytesMax` counts what comes out. */
export function jsonBody(bytesMax: number): RequestHandler {
  return (req, _res, next) => {
    const { headers } = req;
    requireJsonLabel(headers);
    const inflate = inflaterOf(headers);
    const take = (body: Buffer) => {
      const bytes = inflate(body, bytesMax);
      const { value, text, isPlain } = parseBody(bytes);
      req.body = value;
      req.sent = { bytes, text, isPlain };
      next();
    };
    const body = readBody(req, bytesMax);
    // Without a promise for what has arrived already, which is most.
    return Buffer.isBuffer(body) ? take(body) : body.then(take);
  };
}

type Inflate = (bytes: Buffer, bytesMax: number) => Buffer;

/**
 * Inflates what has been read to its end, and here and now: an inflater may hold 16 MiB, which hundreds of slow or
 * hostile clients would otherwise take at once, and each thread for itself. It takes less time than parsing the JSON.
 */
function inflaterOf(headers: IncomingHttpHeaders): Inflate {
  const encoding = (headers['content-encoding'] || 'identity').toLowerCase();
  if (encoding === 'identity') return (bytes) => bytes;
  if (!Object.hasOwn(inflaters, encoding))
    throw new Problem('unsupported-media-type', 'Content-Encoding must be gzip, deflate or br.');
  const inflate = inflaters[encoding as keyof typeof inflaters];
  return (bytes, bytesMax) => {
    try {
      return inflate(bytes, { maxOutputLength: bytesMax });
    } catch (fault) {
      throw asProblem(fault as NodeJS.ErrnoException, encoding);
    }
  };
}

function asProblem({ code, message }: NodeJS.ErrnoException, encoding: string): Problem {
  return code === 'ERR_BUFFER_TOO_LARGE'
    ? new Problem('body-too-large', 'The body is too large once it is inflated.')
    : new Problem('bad-request', `The body is not ${encoding}: ${message}`);
}

/** The same for a request that may have no body: `req.body` is then undefined. */
export function optionalJsonBody(bytesMax: number): RequestHandler {
  const read = jsonBody(bytesMax);
  return (req, res, next) => {
    const { headers } = req;
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    return hasBody ? read(req, res, next) : next();
  };
}

function requireJsonLabel(headers: IncomingHttpHeaders): void {
  const label = headers['content-type'];
  if (label === undefined || label === 'application/json' || JSON_LABEL.test(label)) return;
  throw new Problem(
    'unsupported-media-type',
    `Content-Type ${label.slice(0, 100)} is not JSON; send application/json.`,
  );
}

function parseBody(bytes: Buffer): Json {
  if (bytes.length === 0) throw new Problem('invalid-json', 'The body is empty; send a JSON text.');
  try {
    return readJson(bytes);
  } catch (error) {
    throw new Problem('invalid-json', `The body is not JSON in UTF-8: ${(error as Error).message}`);
  }
}
