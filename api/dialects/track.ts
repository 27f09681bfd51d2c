import Joi from 'joi';
import { activityFields, createParser } from '@event-tracker/shared/event';
import { type Dialect } from './dialect.ts';

interface TrackedEvent {
  user_id: string;
  event_type: string;
  timestamp: string;
  metadata: Record<string, unknown> | null;
}

const parseTracked = createParser<TrackedEvent>(
  Joi.object({
    user_id: activityFields.userId,
    event_type: activityFields.eventType,
    timestamp: activityFields.timestamp,
    // Clients with a model of the event send the field they have left out as null.
    metadata: activityFields.payload.allow(null),
  }),
  'metadata',
);

/** `POST /api/v1/events/track`: the event in snake case. */
export const track: Dialect = {
  source: 'track',
  parse(input) {
    const parsed = parseTracked(input);
    if (!parsed.ok) return parsed;
    const { user_id: userId, event_type: eventType, timestamp, metadata } = parsed.value;
    return { ok: true, value: { userId, eventType, timestamp, payload: metadata ?? {} } };
  },
};
