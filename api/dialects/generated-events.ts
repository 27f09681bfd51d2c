import Joi from 'joi';
import {
  activityFields,
  createParser,
  EVENT_TYPE_LENGTH_MAX,
  text,
  USER_ID_LENGTH_MAX,
} from '@event-tracker/shared/event';
import { type Problem, problems } from '../problems.ts';
import { type Dialect } from './dialect.ts';

interface RequestedEvent {
  userId: string;
  eventType: string;
  payload: Record<string, unknown>;
}

/** `POST /events/generate`: id and time are made here; `eventTypes` are those that may be, any when there are none. */
export function generatedEvents(eventTypes: readonly string[]): Dialect {
  const anyType = text(EVENT_TYPE_LENGTH_MAX).required();
  const parseRequested = createParser<RequestedEvent>(
    Joi.object({
      userId: text(USER_ID_LENGTH_MAX)
        .required()
        .messages(always('is required and must be a non-empty string')),
      eventType:
        eventTypes.length === 0
          ? anyType.messages(always('is required and must be a non-empty string'))
          : anyType.valid(...eventTypes).messages(always(`must be one of: ${eventTypes.join(', ')}`)),
      payload: activityFields.payload.messages({ 'object.base': 'must be a JSON object when provided' }),
    }),
  );
  return {
    source: 'generated-events',
    parse(input) {
      const parsed = parseRequested(input);
      if (!parsed.ok) return parsed;
      return { ok: true, value: { ...parsed.value, timestamp: new Date().toISOString() } };
    },
    accepted: (eventId) => ({ status: 201, body: `{"eventId":${eventId}}` }),
    refused,
  };
}

/** One sentence for whatever is wrong with the value as such. */
function always(message: string): Joi.LanguageMessages {
  return Object.fromEntries(
    ['any.required', 'any.only', 'string.base', 'string.empty'].map((code) => [code, message]),
  );
}

/** `{message}`, and for a request that is wrong `{message, errors}` with a sentence for each wrong field. */
function refused({ code, message, details }: Problem): object {
  if (code === 'queue-unavailable') return { message: 'Failed to publish event' };
  const { status, title } = problems[code];
  if (status !== 400) return { message: `${title}: ${message}` };
  const errors = details.map((fault) => `${fault.field || 'The body'} ${fault.message}`);
  return { message: 'Invalid request payload', errors: errors.length > 0 ? errors : [message] };
}
