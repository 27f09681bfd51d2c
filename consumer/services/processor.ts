import { StoreUnavailable, type FieldError } from '@event-tracker/shared/errors';
import { parseEvent } from '@event-tracker/shared/event';
import { type MessageContent, readMessage } from '@event-tracker/shared/message';
import { type Message, type MessageHandler, type Verdict } from '@event-tracker/shared/queue/queue';
import { type DeadLetter, type Delivery, type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';
import { type Batcher } from './batcher.ts';
import { type Cause, createDeadLetter, type Dead } from './dead-letter.ts';

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

  /** Without an async function, which would keep its whole state for each message that waits for the store. */
  function processMessage(message: Message): Promise<Verdict> {
    const die = (dead: Dead, cause: Cause) => createDeadLetter(dead, cause, worker);
    const unread = (cause: Cause) => decide([die({ message }, cause)], false);
    let content: MessageContent;
    try {
      content = readMessage(message.body);
    } catch (error) {
      const { name, message: text } = error as Error;
      if (name !== 'SyntaxError' && name !== 'TypeError') throw error;
      return unread({ reason: 'invalid-json', error: text });
    }
    const { events, isPlain, isOne, bytesOf } = content;
    if (events.length === 0 || events.length > EVENTS_MAX) {
      const error = `the message holds ${events.length} events, not 1 to ${EVENTS_MAX}`;
      return unread({ reason: 'invalid-event', error });
    }
    const place = (event: unknown, index: number): Dead =>
      isOne
        ? { message, event }
        : { message, event, part: { index, of: events.length, body: () => bytesOf(index) } };

    const letters: DeadLetter[] = [];
    const good: number[] = [];
    const deliveries: Delivery[] = [];
    const { attempts, redelivered } = message;
    events.forEach((event, index) => {
      const parsed = parseEvent(event, isPlain);
      if (parsed.ok) {
        good.push(index);
        deliveries.push({ event: parsed.value, attempts, redelivered });
        return;
      }
      const { details } = parsed;
      letters.push(die(place(event, index), { reason: 'invalid-event', error: sentence(details), details }));
    });
    return batcher.add(deliveries, message.body.length / events.length).then((outcomes) => {
      outcomes.forEach((outcome, at) => {
        if (outcome.status !== 'rejected') return;
        const index = good[at]!;
        letters.push(die(place(events[index], index), { reason: 'rejected-by-store', error: outcome.error }));
      });
      return letters.length === 0 ? 'ack' : decide(letters, letters.length < events.length);
    }, retryWhenAway);
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

function retryWhenAway(error: unknown): Verdict {
  if (error instanceof StoreUnavailable) return 'retry';
  throw error;
}

function sentence(details: readonly FieldError[]): string {
  const named = details.slice(0, 3).map(({ field, message }) => `${field || 'the event'} ${message}`);
  return named.join('; ');
}
