import Joi from 'joi';
import { activityFields, createParser, parseTimestamp } from '@event-tracker/shared/event';
import { type Dialect } from './dialect.ts';

/** The user of events that name none, as most of this client do: it knows a user only where the page tells it one. */
const ANONYMOUS = 'anonymous';

/** Longest name and version of an app: each event of a batch keeps them, so that long ones would make a flood of bytes. */
const APP_LENGTH_MAX = 128;
const NO_MOMENT = 'must be a number: the milliseconds since 1970 in UTC, of a year from 1000 to 9999';

interface TrackerEvent {
  timestamp: string;
  event_id?: string;
  event_type: string;
  user_metadata?: { userId?: string | null };
}

const milliseconds = Joi.number().custom((value: number, helpers) => {
  const moment = new Date(value);
  const iso = Number.isNaN(moment.getTime()) ? undefined : parseTimestamp(moment.toISOString());
  return iso ?? helpers.error('number.base');
});

const app = Joi.string().max(APP_LENGTH_MAX).allow('');

// The rules of a payload hold for the event as a whole, since that is where most of it is kept. Joi comes to them only
// where the fields below are good, so that no large name of an app is gone through for each event.
const parseTrackerEvent = createParser<TrackerEvent>(
  activityFields.payload.keys({
    timestamp: milliseconds.required().messages({
      'number.base': NO_MOMENT,
      'number.unsafe': NO_MOMENT,
    }),
    event_id: activityFields.eventId,
    event_type: activityFields.eventType,
    appName: app,
    appVersion: app,
    user_metadata: Joi.object({ userId: activityFields.userId.optional().allow(null, '') }).unknown(),
  }),
);

/**
 * Batches of the npm package react-user-tracker: clicks, hovers and page events. What it says of the component, the page,
 * the DOM and the app becomes the payload as it is; its own event id is kept, because it may send an event in two batches.
 */
export const reactUserTracker: Dialect = {
  source: 'react-user-tracker',
  parse(input, body) {
    const event = withApp(input, body);
    const parsed = parseTrackerEvent(event);
    if (!parsed.ok) return parsed;
    const { timestamp, event_id: eventId, event_type: eventType, user_metadata: user } = parsed.value;
    const payload = { ...(event as Record<string, unknown>) };
    for (const field of ['timestamp', 'event_id', 'event_type']) delete payload[field];
    const activity = { userId: user?.userId || ANONYMOUS, eventType, timestamp, payload };
    return { ok: true, value: eventId === undefined ? activity : { ...activity, eventId } };
  },
};

/** The event with the app's name and version, which stand once in the body. */
function withApp(input: unknown, body: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  const { appName, appVersion } = body as { appName?: unknown; appVersion?: unknown };
  return {
    ...(appName !== undefined && { appName }),
    ...(appVersion !== undefined && { appVersion }),
    ...input,
  };
}
