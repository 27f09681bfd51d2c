import Joi from 'joi';
import { type FieldError } from './errors.ts';
import { isStorable, isText } from './guard.ts';
import { FAULTS_MAX, findUnstorable } from './storable.ts';

/** One thing that a user did, as it travels on the queue: JSON, times as ISO 8601 in UTC with milliseconds. */
export interface ActivityEvent {
  /** The idempotency key: the store keeps one document an id. */
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: Record<string, unknown>;
  /** The way by which the event came in, for example `activities`. */
  source: string;
  /** When the API took the request. */
  receivedAt: string;
  requestId: string | null;
  ip: string | null;
  userAgent: string | null;
}

/** What a client may say of an event; everything else of an `ActivityEvent` is ours. */
export interface Activity {
  eventId?: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: Record<string, unknown>;
}

export type Parsed<T> = { ok: true; value: T } | { ok: false; details: FieldError[] };

/** Longest `eventId`, in UTF-16 units. */
export const EVENT_ID_LENGTH_MAX = 128;
/** Longest `userId`, in UTF-16 units. */
export const USER_ID_LENGTH_MAX = 256;
/** Longest `eventType`, in UTF-16 units. */
export const EVENT_TYPE_LENGTH_MAX = 128;
/** A fault names its field with at most so many UTF-16 units, or long keys would make an answer of megabytes. */
const FIELD_LENGTH_MAX = 500;

// RFC 3339 with what ISO 8601 also allows and clients send: a date alone, no seconds, no zone, +0530.
const ISO_8601 =
  /^(?<date>\d{4}-(?<month>\d\d)-(?<day>\d\d))(?:T(?<time>\d\d:\d\d(?::\d\d)?)(?<fraction>[.,]\d{1,9})?(?<zone>Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

// The same moment in the form that the queue holds, with or without milliseconds; 29 February needs a calendar.
const PLAIN_UTC =
  /^[1-9]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{3})?Z$/;

/**
 * The moment that an ISO 8601 text names, as ISO 8601 in UTC with milliseconds; undefined where it names none.
 * Without a zone it is UTC. Digits past the millisecond are cut. The years are 1000 to 9999, what every store can hold.
 */
export function parseTimestamp(text: string): string | undefined {
  if (PLAIN_UTC.test(text)) return text.length === 24 ? text : `${text.slice(0, -1)}.000Z`;
  const match = ISO_8601.exec(text);
  if (!match?.groups) return undefined;
  const { date = '', month, day, time = '00:00', fraction = '', zone = 'Z' } = match.groups;
  // Date rolls 30 February over to March; a date that is not in the calendar is refused instead.
  const daysInMonth = new Date(Date.UTC(Number(date.slice(0, 4)), Number(month), 0)).getUTCDate();
  if (Number(day) > daysInMonth) return undefined;
  const milliseconds = fraction.slice(1, 4).padEnd(3, '0');
  const seconds = time.length === 5 ? `${time}:00` : time;
  const instant = new Date(`${date}T${seconds}.${milliseconds}${normalZone(zone)}`);
  const year = instant.getUTCFullYear();
  return year >= 1000 && year <= 9999 ? instant.toISOString() : undefined;
}

/** `+05`, `+0530` and `+05:30` as `+05:30`. */
function normalZone(zone: string): string {
  if (zone.length === 1) return 'Z';
  return `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
}

const storable: Joi.CustomValidator<unknown> = (value, helpers) => {
  const faults = findUnstorable(value);
  return faults.length === 0 ? value : helpers.error('storable', { faults });
};

/** A string that is not empty, not too long and can be stored everywhere. */
export const text = (lengthMax: number) => Joi.string().max(lengthMax).custom(storable);
const timestamp = Joi.string().custom(
  (value: string, helpers) => parseTimestamp(value) ?? helpers.error('timestamp'),
);

const eventId = text(EVENT_ID_LENGTH_MAX);
// A number is a name that a client's database gave out; it is kept as the same digits.
const userId = Joi.alternatives(text(USER_ID_LENGTH_MAX), Joi.number().integer().custom(String)).match('any');
const eventType = text(EVENT_TYPE_LENGTH_MAX).required();
const payload = Joi.object().unknown().custom(storable).default({});

/** The rules of the fields that a client gives, for schemas in which they have other names. */
export const activityFields = {
  eventId,
  userId: userId.required(),
  eventType,
  timestamp: timestamp.required(),
  payload,
};

const messages: Joi.LanguageMessages = {
  timestamp: 'must be an ISO 8601 date and time, for example 2023-10-27T10:00:00Z',
  'alternatives.match': 'must be a non-empty string or a whole number',
  'alternatives.types': 'must be a non-empty string or a whole number',
  'object.base': 'must be a JSON object',
  'any.required': 'is required',
  'string.empty': 'must not be empty',
  'string.base': 'must be a string',
  'string.max': 'must be at most {#limit} characters long',
  'number.unsafe': 'is too large a number to be kept exactly; send it as a string',
  'object.oxor': 'give either eventId or id, not both',
};

const checkFields = createParser<Activity & { id?: string }>(
  Joi.object({ ...activityFields, id: eventId }).oxor('eventId', 'id'),
);

const eventSchema = Joi.object({
  eventId: eventId.required(),
  userId: text(USER_ID_LENGTH_MAX).required(),
  eventType,
  timestamp: timestamp.required(),
  payload: payload.required(),
  source: Joi.string().custom(storable).required(),
  receivedAt: timestamp.required(),
  requestId: Joi.string().custom(storable).required().allow(null),
  ip: Joi.string().custom(storable).required().allow(null),
  userAgent: Joi.string().custom(storable).required().allow(null, ''),
});

/** Checks an event in full; `plainEvent` is the shorter way for those that are plainly good. */
export const checkEvent = createParser<ActivityEvent>(eventSchema);

/**
 * Checks what a client sent as one event; on failure names every wrong field at once. `isPlain` is what `readJson` says of
 * the JSON that it is from.
 */
export function parseActivity(input: unknown, isPlain = false): Parsed<Activity> {
  const plain = plainActivity(input, isPlain);
  return plain ? { ok: true, value: plain } : checkActivity(input);
}

/** Checks one event that came off the queue, which anyone may have put there. The value may be the input itself. */
export function parseEvent(input: unknown, isPlain = false): Parsed<ActivityEvent> {
  const plain = plainEvent(input, isPlain);
  return plain ? { ok: true, value: plain } : checkEvent(input);
}

/** What `checkActivity` makes of a plainly good one; undefined is no verdict. */
export function plainActivity(input: unknown, isPlain = false): Activity | undefined {
  if (!isObject(input)) return undefined;
  const { eventId, id, userId, eventType, timestamp, payload } = input;
  const ids = Number(eventId !== undefined) + Number(id !== undefined);
  // A field that is not known, or is known and undefined, makes one more.
  if (ids > 1 || Object.keys(input).length !== 3 + ids + Number(payload !== undefined)) return undefined;
  const user = Number.isSafeInteger(userId) ? String(userId) : userId;
  const key = eventId ?? id;
  const good =
    (ids === 0 || isText(key, EVENT_ID_LENGTH_MAX, isPlain)) &&
    isText(user, USER_ID_LENGTH_MAX, isPlain) &&
    isText(eventType, EVENT_TYPE_LENGTH_MAX, isPlain) &&
    typeof timestamp === 'string' &&
    (payload === undefined || (isObject(payload) && isStorable(payload, isPlain)));
  const instant = good ? parseTimestamp(timestamp) : undefined;
  if (!good || instant === undefined) return undefined;
  const activity: Activity = { userId: user, eventType, timestamp: instant, payload: payload ?? {} };
  if (ids === 1) activity.eventId = key as string;
  return activity;
}

/** What `checkEvent` makes of a plainly good one; undefined is no verdict. */
export function plainEvent(input: unknown, isPlain = false): ActivityEvent | undefined {
  if (!isObject(input) || Object.keys(input).length !== 10) return undefined;
  const { timestamp, receivedAt, payload, requestId, ip, userAgent } = input;
  const good =
    isText(input.eventId, EVENT_ID_LENGTH_MAX, isPlain) &&
    isText(input.userId, USER_ID_LENGTH_MAX, isPlain) &&
    isText(input.eventType, EVENT_TYPE_LENGTH_MAX, isPlain) &&
    isText(input.source, Infinity, isPlain) &&
    (requestId === null || isText(requestId, Infinity, isPlain)) &&
    (ip === null || isText(ip, Infinity, isPlain)) &&
    (userAgent === null || userAgent === '' || isText(userAgent, Infinity, isPlain)) &&
    isObject(payload) &&
    isStorable(payload, isPlain) &&
    typeof timestamp === 'string' &&
    typeof receivedAt === 'string';
  if (!good) return undefined;
  const times = { timestamp: parseTimestamp(timestamp), receivedAt: parseTimestamp(receivedAt) };
  if (times.timestamp === undefined || times.receivedAt === undefined) return undefined;
  const event = input as unknown as ActivityEvent;
  // The caller has parsed the input and keeps it as it is, so that there is nothing to copy where nothing changes.
  const same = times.timestamp === timestamp && times.receivedAt === receivedAt;
  return same ? event : ({ ...event, ...times } as ActivityEvent);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks an activity in full; `plainActivity` is the shorter way for those that are plainly good. */
export function checkActivity(input: unknown): Parsed<Activity> {
  const parsed = checkFields(input);
  if (!parsed.ok) return parsed;
  const { id, ...activity } = parsed.value;
  return { ok: true, value: id === undefined ? activity : { ...activity, eventId: id } };
}

/**
 * A check by a schema of the rules above, which names every wrong field at once. `ownField` is the field for what a
 * client wants to say besides.
 */
export function createParser<T>(
  schema: Joi.ObjectSchema,
  ownField = 'payload',
): (input: unknown) => Parsed<T> {
  const unknownField = `is not a known field; put facts of your own into ${ownField}`;
  const { keys, flags } = schema.describe() as { keys: object; flags?: { unknown?: boolean } };
  const known = flags?.unknown ? undefined : new Set(Object.keys(keys));
  const required = schema.required();
  const options: Joi.ValidationOptions = {
    abortEarly: false,
    convert: false,
    errors: { label: false },
    messages: { ...messages, 'object.unknown': unknownField },
  };
  return (input) => {
    const flood = known && floodOfFields(input, known);
    if (flood) return { ok: false, details: flood.map((field) => cut({ field, message: unknownField })) };
    const { value, error } = required.validate(input, options) as { value: T; error?: Joi.ValidationError };
    const details = error?.details.flatMap(fieldErrors) ?? [];
    // Joi's copy of an object loses a key of this name before Joi can refuse it.
    if (Object.hasOwn(Object(input) as object, '__proto__')) {
      details.push({ field: '__proto__', message: unknownField });
    }
    if (details.length === 0) return { ok: true, value };
    return { ok: false, details: details.filter(isFirst).slice(0, FAULTS_MAX).map(cut) };
  };
}

/** Two rules of one field may find the same fault. */
function isFirst({ field, message }: FieldError, index: number, all: FieldError[]): boolean {
  return all.findIndex((other) => other.field === field && other.message === message) === index;
}

/** Joi makes an error of every unknown field, and runs out of stack over a million of them: so many are refused before. */
function floodOfFields(input: unknown, known: ReadonlySet<string>): string[] | undefined {
  if (!isObject(input)) return undefined;
  const unknown = Object.keys(input).filter((name) => !known.has(name));
  return unknown.length > FAULTS_MAX ? unknown.slice(0, FAULTS_MAX) : undefined;
}

function cut({ field, message }: FieldError): FieldError {
  return { field: field.slice(0, FIELD_LENGTH_MAX), message: message.slice(0, FIELD_LENGTH_MAX) };
}

function fieldErrors({ type, path, message, context }: Joi.ValidationErrorItem): FieldError[] {
  const field = path.join('.');
  if (type !== 'storable') return [{ field, message }];
  const faults = context?.faults as FieldError[];
  return faults.map((fault) => ({
    field: [field, fault.field].filter(Boolean).join('.'),
    message: fault.message,
  }));
}
