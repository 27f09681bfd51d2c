import { type IncomingHttpHeaders } from 'node:http';
import { type Request, type RequestHandler, type Response } from 'express';
import { type FieldError } from '@event-tracker/shared/errors';
import { type Activity, type Parsed, parseTimestamp } from '@event-tracker/shared/event';
import { type Sent } from '@event-tracker/shared/message';
import { activities, type Dialect } from '../dialects/dialect.ts';
import { writeHeader } from '../header-text.ts';
import { Problem } from '../problems.ts';
import { type Ingestion, type RequestFacts } from '../services/ingestion.ts';
import { countInvalid } from '../services/metrics.ts';

/** Most events of one batch. */
export const BATCH_EVENTS_MAX = 2500;
/** Longest user agent that is kept; the rest is cut. */
const USER_AGENT_LENGTH_MAX = 512;
// Printable ASCII, short enough to stay within an event id when a batch adds its index.
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,120}$/;

/** POST of one event: 202, or what the dialect has for it, once the queue holds it. */
export function ingestOne(ingestion: Ingestion, dialect: Dialect = activities): RequestHandler {
  const { source, parse, accepted = acceptedOne } = dialect;

  /** Gives the event to the queue; throws where it is not good. */
  function take(req: Request) {
    const { sent, headers } = req;
    const body: unknown = req.body;
    const key = idempotencyKey(headers);
    const parsed = parse(body, body, sent?.isPlain === true);
    if (!parsed.ok || key.faults.length > 0) {
      countInvalid(1);
      throw invalid([...key.faults, ...(parsed.ok ? [] : parsed.details)]);
    }
    const isAsSent = stands(sent, '{', '}') && saysTheSame(body, parsed.value);
    const activity = withKey(parsed.value, key.value);
    return ingestion.accept([activity], facts(req, headers, source), isAsSent ? sent : undefined);
  }

  return (req, res) => {
    const { ids, queued } = take(req);
    forgetBody(req);
    return queued.then(() => {
      const { status, body } = accepted(ids.json.slice(1, -1));
      sendAccepted(res, status, body);
    });
  };
}

/** POST of several events: the good ones are taken although others are bad; 202 once the queue holds them. */
export function ingestBatch(ingestion: Ingestion, dialect: Dialect = activities): RequestHandler {
  const { source, parse, parseSentAt = sentAtUnknown } = dialect;

  /** Gives the good events to the queue; throws where there are none. */
  function take(req: Request) {
    const { sent, headers } = req;
    const body: unknown = req.body;
    const key = idempotencyKey(headers);
    const inputs = batchItems(body);
    const sentAt = parseSentAt(body);
    const faults = [...key.faults, ...(sentAt.ok ? [] : sentAt.details)];
    if (!sentAt.ok || faults.length > 0) throw invalid(faults);

    const request = facts(req, headers, source);
    // How far the client's clock is behind ours, the time on the way included.
    const behindMs = sentAt.value ? Date.parse(request.receivedAt) - Date.parse(sentAt.value) : 0;
    const accepted: Activity[] = [];
    const rejected: { index: number; details: FieldError[] }[] = [];
    let isAsSent = inputs.length > 1 && behindMs === 0 && stands(sent, '[', ']');
    inputs.forEach((input, index) => {
      const parsed = withClock(parse(input, body, sent?.isPlain === true), behindMs);
      isAsSent &&= parsed.ok && saysTheSame(input, parsed.value);
      if (parsed.ok) accepted.push(withKey(parsed.value, key.value && `${key.value}-${index}`));
      else rejected.push({ index, details: parsed.details });
    });
    countInvalid(rejected.length);
    if (accepted.length === 0) throw invalid(rejected.flatMap(withIndex));

    const { ids, queued } = ingestion.accept(accepted, request, isAsSent ? sent : undefined);
    return { accepted: accepted.length, rejected, ids, queued };
  }

  return (req, res) => {
    const { accepted, rejected, ids, queued } = take(req);
    forgetBody(req);
    return queued.then(() => {
      const answer = JSON.stringify({ status: 'accepted', accepted, rejected });
      sendAccepted(res, 202, `${answer.slice(0, -1)},"eventIds":${ids.json}}`);
    });
  };
}

/** Nothing holds what the body was parsed to while the confirm is awaited: V8 would copy it at each collection. */
function forgetBody(req: Request): void {
  req.body = req.sent = undefined;
}

/** Whether the body begins and ends with these, without spaces or a byte order mark around them. */
function stands(sent: Sent | undefined, first: string, last: string): boolean {
  return sent?.bytes[0] === first.charCodeAt(0) && sent.bytes.at(-1) === last.charCodeAt(0);
}

/** Whether the queue may hold the client's own bytes: nothing of them was altered or added, and none is an id. */
function saysTheSame(input: unknown, { eventId, userId, timestamp, payload }: Activity): boolean {
  const said = input as Record<string, unknown>;
  const isUnaltered = said.userId === userId && said.timestamp === timestamp && said.payload === payload;
  return isUnaltered && eventId === undefined && Object.keys(said).length === 4;
}

function acceptedOne(eventId: string): { status: number; body: string } {
  return { status: 202, body: `{"status":"accepted","eventId":${eventId}}` };
}

/** Beyond this `res.json` only does what an answer to a POST has no use for, in 2 % of the request's time in a profile. */
function sendAccepted(res: Response, status: number, body: string): void {
  res.statusCode = status;
  writeHeader(res, 'Content-Type', 'application/json; charset=utf-8');
  res.end(body);
}

function batchItems(body: unknown): unknown[] {
  const items = Array.isArray(body) ? body : (body as { events?: unknown } | null)?.events;
  if (!Array.isArray(items) || items.length === 0) {
    throw invalid([
      { field: 'events', message: 'must be an array of at least one event, or the body must be that array' },
    ]);
  }
  if (items.length > BATCH_EVENTS_MAX) {
    throw new Problem(
      'body-too-large',
      `A batch holds at most ${BATCH_EVENTS_MAX} events; this one holds ${items.length}.`,
    );
  }
  return items;
}

/** The `Idempotency-Key` header stands in for ids that the body does not give. */
function idempotencyKey(headers: IncomingHttpHeaders): { value: string | undefined; faults: FieldError[] } {
  const value = headers['idempotency-key'] as string | undefined;
  if (value === undefined || IDEMPOTENCY_KEY.test(value)) return { value, faults: [] };
  return {
    value,
    faults: [
      { field: 'Idempotency-Key', message: 'must be 1 to 120 printable ASCII characters without spaces' },
    ],
  };
}

function withKey(activity: Activity, key: string | undefined): Activity {
  return key === undefined || activity.eventId !== undefined ? activity : { ...activity, eventId: key };
}

function sentAtUnknown(): Parsed<undefined> {
  return { ok: true, value: undefined };
}

/** The event at the time that our clock would have shown. */
function withClock(parsed: Parsed<Activity>, behindMs: number): Parsed<Activity> {
  if (!parsed.ok || behindMs === 0) return parsed;
  const moment = new Date(Date.parse(parsed.value.timestamp) + behindMs);
  const timestamp = parseTimestamp(moment.toISOString());
  if (timestamp !== undefined) return { ok: true, value: { ...parsed.value, timestamp } };
  const message = 'is not within the years 1000 to 9999 once sentAt has corrected it';
  return { ok: false, details: [{ field: 'timestamp', message }] };
}

function withIndex({ index, details }: { index: number; details: FieldError[] }): FieldError[] {
  return details.map(({ field, message }) => ({
    field: field ? `${index}.${field}` : String(index),
    message,
  }));
}

function invalid(details: FieldError[]): Problem {
  return new Problem('invalid-event', 'Nothing of the request was taken.', details);
}

function facts({ id, address }: Request, headers: IncomingHttpHeaders, source: string): RequestFacts {
  return {
    source,
    receivedAt: now(),
    requestId: id,
    ip: address || null,
    userAgent: headers['user-agent']?.slice(0, USER_AGENT_LENGTH_MAX) ?? null,
  };
}

let known = { ms: NaN, iso: '' };

/** ISO 8601 in UTC with milliseconds: 1.2 µs to make, and many requests arrive in the same millisecond. */
function now(): string {
  const ms = Date.now();
  if (ms !== known.ms) known = { ms, iso: new Date(ms).toISOString() };
  return known.iso;
}
