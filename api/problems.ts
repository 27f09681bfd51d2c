import { type FieldError } from '@event-tracker/shared/errors';

/** Every error that a client can meet, by its stable code. API_DOCS.md lists them from here. */
export const problems = {
  'invalid-json': { status: 400, title: 'The body is not JSON', meaning: 'Send one JSON text in UTF-8.' },
  'invalid-event': {
    status: 400,
    title: 'The event is not valid',
    meaning: '`details` names every wrong field. In a batch this is the answer only when no event is good.',
  },
  'invalid-query': {
    status: 400,
    title: 'The query is not valid',
    meaning: '`details` names every wrong parameter, also of a filter that is sent as a body.',
  },
  'bad-request': {
    status: 400,
    title: 'The request is not valid',
    meaning: 'The URL or the headers are malformed.',
  },
  unauthorized: {
    status: 401,
    title: 'The admin key is missing or wrong',
    meaning:
      'Send `Authorization: Bearer <ADMIN_KEY>`. Without `ADMIN_KEY` reads answer only on the machine itself.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    meaning: 'No such route, or no event, or dead letter, of this id is kept.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed here',
    meaning: '`Allow` lists those that are.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    meaning:
      'More than `BODY_BYTES_MAX` bytes, counted after inflating, or too many events. Send less at a time.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body is not in a form that is understood',
    meaning: 'Send JSON, plain or with `Content-Encoding: gzip`, `deflate` or `br`.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests from this address',
    meaning: 'Wait for `Retry-After` seconds. Nothing of the request was taken.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong here',
    meaning: 'A fault of the server; report the `requestId`.',
  },
  'queue-unavailable': {
    status: 503,
    title: 'The event could not be queued',
    meaning:
      'Send it again with the same id after `Retry-After` seconds; it is stored once however often it is sent.',
  },
  'stream-unavailable': {
    status: 503,
    title: 'No stream can be opened now',
    meaning:
      'This process has 100 open, or is shutting down. Try again after `Retry-After` seconds, or at another process.',
  },
  'store-unavailable': {
    status: 503,
    title: 'The database does not answer',
    meaning: 'Reads fail for now; events are still taken. Try again after `Retry-After` seconds.',
  },
} as const satisfies Record<string, { status: number; title: string; meaning: string }>;

export type ProblemCode = keyof typeof problems;

/** An answer to the client other than success. */
export class Problem extends Error {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly details: readonly FieldError[];

  constructor(code: ProblemCode, detail: string, details: readonly FieldError[] = []) {
    super(detail);
    this.code = code;
    this.details = details;
  }
}
