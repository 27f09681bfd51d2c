import { createHash } from 'node:crypto';
import { type FieldError } from '@event-tracker/shared/errors';
import { EVENT_ID_LENGTH_MAX, EVENT_TYPE_LENGTH_MAX } from '@event-tracker/shared/event';
import { type Message } from '@event-tracker/shared/queue/queue';
import { findUnstorable } from '@event-tracker/shared/storable';
import { type DeadLetter } from '../store/store.ts';

/** At most so many faults of one event are kept, each cut to `FAULT_LENGTH_MAX`. */
const FAULTS_MAX = 50;
const FAULT_LENGTH_MAX = 500;

export interface Cause {
  reason: DeadLetter['reason'];
  error: string;
  details?: readonly FieldError[];
}

/** What died: a whole message, as far as it could be read, or one event of it with its place and its own bytes. */
interface Dead {
  message: Message;
  event?: unknown;
  part?: { index: number; of: number; body: () => Buffer } | undefined;
}

/**
 * The letter's id comes from the bytes of the message, so that every delivery of them makes the same letter. Apart
 * from the body, nothing in it is more than any store takes.
 */
export function createDeadLetter(dead: Dead, cause: Cause, worker: string): DeadLetter {
  const { message, event, part } = dead;
  const { eventId, eventType } = (event ?? {}) as { eventId?: unknown; eventType?: unknown };
  const digest = createHash('sha256').update(message.body).digest('hex');
  return {
    id: part ? `${digest}-${part.index}` : digest,
    reason: cause.reason,
    error: cut(cause.error),
    details: (cause.details ?? [])
      .slice(0, FAULTS_MAX)
      .map((fault) => ({ field: cut(fault.field), message: cut(fault.message) })),
    body: part?.body() ?? message.body,
    eventId: label(eventId, EVENT_ID_LENGTH_MAX),
    eventType: label(eventType, EVENT_TYPE_LENGTH_MAX),
    attempts: message.attempts,
    diedAt: new Date(),
    worker,
  };
}

/** What a letter may be found by, where it is what it should be. */
function label(value: unknown, lengthMax: number): string | null {
  if (typeof value !== 'string' || value.length > lengthMax) return null;
  return findUnstorable(value).length === 0 ? value : null;
}

function cut(text: string): string {
  return text.slice(0, FAULT_LENGTH_MAX).toWellFormed().replaceAll('\0', '\u2400');
}
