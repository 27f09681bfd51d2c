import { StoreUnavailable, type FieldError } from '@event-tracker/shared/errors';
import { parseEvent } from '@event-tracker/shared/event';
import { itemsOfArray, parseJson } from '@event-tracker/shared/json';
import { type Message, type MessageHandler } from '@event-tracker/shared/queue/queue';
import { type DeadLetter, type Store } from '../store/store.ts';
import { type Backoff } from './backoff.ts';
import { type Batcher } from './batcher.ts';
import { createDeadLetter, type Dead } from './dead-letter.ts';

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
  /** Of each event of the message its dead letter, or null when it is stored. */
  async function processMessage(message: Message): Promise<(DeadLetter | null)[]> {
    let content: unknown;
    try {
      content = parseJson(message.body);
    } catch (error) {
      const { name, message: text } = error as Error;
      if (name !== 'SyntaxError' && name !== 'TypeError') throw error;
      return [createDeadLetter({ message }, { reason: 'invalid-json', error: text }, worker)];
    }
    if (!Array.isArray(content)) return [await processEvent({ message, event: content })];
    if (content.length === 0 || content.length > EVENTS_MAX) {
      const error = `the message holds ${content.length} events, not 1 to ${EVENTS_MAX}`;
      return [createDeadLetter({ message }, { reason: 'invalid-event', error }, worker)];
    }
    const events: unknown[] = content;
    // Only a message with a bad event is taken apart.
    let items: Buffer[] | undefined;
    const body = (index: number) => (items ??= itemsOfArray(message.body))[index] ?? message.body;
    const results = await Promise.allSettled(
      events.map((event, index) =>
        processEvent({ message, event, part: { index, of: events.length, body: () => body(index) } }),
      ),
    );
    // Only now, so that nothing of a message that is retried is still being written.
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  async function processEvent(dead: Dead): Promise<DeadLetter | null> {
    const parsed = parseEvent(dead.event);
    if (!parsed.ok) {
      const { details } = parsed;
      return createDeadLetter(dead, { reason: 'invalid-event', error: sentence(details), details }, worker);
    }
    const { attempts, redelivered } = dead.message;
    const bytes = dead.message.body.length / (dead.part?.of ?? 1);
    const outcome = await batcher.add({ event: parsed.value, attempts, redelivered }, bytes);
    if (outcome.status !== 'rejected') return null;
    return createDeadLetter(dead, { reason: 'rejected-by-store', error: outcome.error }, worker);
  }

  return async (message) => {
    try {
      const results = await processMessage(message);
      const letters = results.filter((letter) => letter !== null);
      if (letters.length > 0) await backoff.run(() => store.recordDead(letters));
      return letters.length === results.length ? 'dead' : 'ack';
    } catch (error) {
      if (error instanceof StoreUnavailable) return 'retry';
      throw error;
    }
  };
}

function sentence(details: readonly FieldError[]): string {
  const named = details.slice(0, 3).map(({ field, message }) => `${field || 'the event'} ${message}`);
  return named.join('; ');
}
