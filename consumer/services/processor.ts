import { StoreUnavailable, type FieldError } from '@event-tracker/shared/errors';
import { parseEvent } from '@event-tracker/shared/event';
import { type MessageContent, readMessage } from '@event-tracker/shared/message';
import { type Message, type MessageHandler, type Verdict } from '@event-tracker/shared/queue/queue';
import { type DeadLetter, type Delivery, type SaveOutcome, type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';
import { type Batcher } from './batcher.ts';
import { type Cause, createDeadLetter } from './dead-letter.ts';

/** A message with more is no batch of ours; checking and keeping each of them would hold up all others. */
export const EVENTS_MAX = 10_000;

/**
 * Decides over a message: `ack` when something of it is stored, `dead` when all of it is kept as dead letters,
 * `retry` when the worker stops while the store is away. What it throws is a fault of this program.
 */
export function createProcessor(
  store: Pick<Store, 'recordDead'>,
  batcher: Batcher,
  backoff: Pick<Backoff, 'run'>,
  worker: string,
): MessageHandler {
  const decide = (letters: DeadLetter[], isStored: boolean) =>
    backoff.run(() => store.recordDead(letters)).then(() => (isStored ? 'ack' : 'dead'), retryWhenAway);

  /**
   * A message that waits for the store is kept by its bytes and one closure, not by an async function with its whole state
   * or by what was read from it: more than a thousand wait at a time, and V8 copies what they hold at each collection.
   */
  function processMessage(message: Message): Promise<Verdict> {
    const unread = (cause: Cause) => decide([createDeadLetter({ message }, cause, worker)], false);
    let content: MessageContent;
    try {
      content = readMessage(message.body);
    } catch (error) {
      const { name, message: text } = error as Error;
      if (name !== 'SyntaxError' && name !== 'TypeError') throw error;
      return unread({ reason: 'invalid-json', error: text });
    }
    const { events, isPlain } = content;
    if (events.length === 0 || events.length > EVENTS_MAX) {
      const error = `the message holds ${events.length} events, not 1 to ${EVENTS_MAX}`;
      return unread({ reason: 'invalid-event', error });
    }
    const { attempts, redelivered } = message;
    const deliveries: Delivery[] = [];
    for (const event of events) {
      const parsed = parseEvent(event, isPlain);
      if (parsed.ok) deliveries.push({ event: parsed.value, attempts, redelivered });
    }
    const isWholeGood = deliveries.length === events.length;
    return batcher
      .add(deliveries, message.body.length / events.length)
      .then(
        (outcomes) => (isWholeGood && outcomes.every(isKept) ? 'ack' : bury(message, outcomes)),
        retryWhenAway,
      );
  }

  /** Makes letters of the events that are not good or were refused by the store; the good ones have these outcomes. */
  function bury(message: Message, outcomes: readonly SaveOutcome[]): Promise<Verdict> {
    const { events, isPlain, isOne, bytesOf } = readMessage(message.body);
    const letters: DeadLetter[] = [];
    let good = 0;
    events.forEach((event, index) => {
      const parsed = parseEvent(event, isPlain);
      const cause = parsed.ok ? refusal(outcomes[good++]) : invalid(parsed.details);
      const part = isOne ? undefined : { index, of: events.length, body: () => bytesOf(index) };
      if (cause) letters.push(createDeadLetter({ message, event, part }, cause, worker));
    });
    return decide(letters, letters.length < events.length);
  }

  return (message) => {
    if (!batcher.hasRoom()) return batcher.room(message.body.length).then(() => processMessage(message));
    try {
      return processMessage(message);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  };
}

function invalid(details: FieldError[]): Cause {
  return { reason: 'invalid-event', error: sentence(details), details };
}

function refusal(outcome: SaveOutcome | undefined): Cause | undefined {
  return outcome?.status === 'rejected' ? { reason: 'rejected-by-store', error: outcome.error } : undefined;
}

function isKept({ status }: SaveOutcome): boolean {
  return status !== 'rejected';
}

function retryWhenAway(error: unknown): Verdict {
  if (error instanceof StoreUnavailable) return 'retry';
  throw error;
}

function sentence(details: readonly FieldError[]): string {
  const named = details.slice(0, 3).map(({ field, message }) => `${field || 'the event'} ${message}`);
  return named.join('; ');
}
