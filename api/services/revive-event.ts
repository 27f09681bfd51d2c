import { type DeadLetterHead } from '@event-tracker/consumer/store/store';
import { type FieldError } from '@event-tracker/shared/errors';
import { type ActivityEvent, type Parsed, parseActivity, parseEvent } from '@event-tracker/shared/event';
import { type RequestFacts } from './ingestion.ts';

/** Stands in for a wrong event, so that what is said of it is checked all the same. */
const STAND_IN = { eventId: '-', userId: '-', eventType: '-', timestamp: '2000-01-01', payload: {} };

/**
 * The event, or events, of a dead letter as they may be queued again. Each is what a client would send, and may have
 * the other fields of an event on the queue; what is missing of those is filled in from the letter. Nothing in it
 * depends on when it is called: the same letter gives the same event.
 */
export function reviveEvents(content: unknown, letter: DeadLetterHead): Parsed<ActivityEvent[]> {
  if (!Array.isArray(content)) {
    const parsed = reviveEvent(content, letter, letter.eventId ?? `dead-letter-${letter.id}`);
    return parsed.ok ? { ok: true, value: [parsed.value] } : parsed;
  }
  if (content.length === 0) return { ok: false, details: [{ field: '', message: 'holds no event' }] };
  const events: ActivityEvent[] = [];
  const details: FieldError[] = [];
  content.forEach((one: unknown, index) => {
    const parsed = reviveEvent(one, letter, `dead-letter-${letter.id}-${index}`);
    if (parsed.ok) events.push(parsed.value);
    else details.push(...parsed.details.map((fault) => withIndex(fault, index)));
  });
  return details.length === 0 ? { ok: true, value: events } : { ok: false, details };
}

function reviveEvent(content: unknown, letter: DeadLetterHead, eventId: string): Parsed<ActivityEvent> {
  const isObject = typeof content === 'object' && content !== null && !Array.isArray(content);
  const { source, receivedAt, requestId, ip, userAgent, ...said } = (
    isObject ? content : {}
  ) as Partial<RequestFacts>;
  const facts = {
    source: source ?? 'dead-letter',
    receivedAt: receivedAt ?? letter.diedAt.toISOString(),
    requestId: requestId ?? null,
    ip: ip ?? null,
    userAgent: userAgent ?? null,
  };
  const activity = parseActivity(isObject ? said : content);
  const event = parseEvent({ ...(activity.ok ? { eventId, ...activity.value } : STAND_IN), ...facts });
  if (activity.ok && event.ok) return event;
  const details = [activity, event].flatMap((parsed) => (parsed.ok ? [] : parsed.details));
  return { ok: false, details };
}

function withIndex({ field, message }: FieldError, index: number): FieldError {
  return { field: field ? `${index}.${field}` : String(index), message };
}
