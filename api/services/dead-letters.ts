import {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterPosition,
  type DeadLetterStore,
} from '@event-tracker/consumer/store/store';
import { type FieldError } from '@event-tracker/shared/errors';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { readMessage } from '@event-tracker/shared/message';
import { type Queue } from '@event-tracker/shared/queue/queue';
import { reviveEvents } from './revive-event.ts';

/** Most letters that one call replays or purges; the caller goes on from `next`. */
export const BULK_LETTERS_MAX = 500;
/** Bodies in memory at the same time while many letters are replayed. */
const REPLAYS_AT_ONCE = 10;
/** Events of one letter that are published at the same time. */
const PUBLISHES_AT_ONCE = 100;

export type Replay =
  | { status: 'replayed'; eventIds: string[] }
  | { status: 'refused'; details: FieldError[] }
  | { status: 'gone' };

/** Which letters to act upon: those of a list, without its limit. */
export type BulkFilter = Omit<DeadLetterFilter, 'limit'>;

export interface BulkReplay {
  replayed: number;
  refused: { id: string; details: FieldError[] }[];
  /** The last letter that was looked at, when there may be more. */
  next: DeadLetterPosition | undefined;
}

export interface BulkPurge {
  purged: number;
  next: DeadLetterPosition | undefined;
}

export interface DeadLetters {
  /**
   * Publishes the letter's event, or the edited one in its place, then removes the letter. The event's id stays, so
   * that a replay that is made again, or broken off between the two, stores the event once. Rejects with
   * QueueUnavailable or StoreUnavailable; the letter is then still there.
   */
  replay(id: string, edited?: unknown): Promise<Replay>;
  /** Replays the next letters of a filter, newest first; a letter that is refused stays. */
  replayMany(filter: BulkFilter): Promise<BulkReplay>;
  /** Removes a letter with its event for good; false when it is not there. */
  purge(id: string): Promise<boolean>;
  purgeMany(filter: BulkFilter): Promise<BulkPurge>;
}

export function createDeadLetters(store: DeadLetterStore, queue: Pick<Queue, 'publish'>): DeadLetters {
  async function replay(id: string, edited?: unknown): Promise<Replay> {
    const letter = await store.getDead(id);
    if (!letter) return { status: 'gone' };
    const content = edited === undefined ? parseBody(letter) : { ok: true as const, value: edited };
    const revived = content.ok ? reviveEvents(content.value, letter) : content;
    if (!revived.ok) return { status: 'refused', details: revived.details };
    await publishEach(revived.value);
    // Should it have died again already, that letter is a newer one, and stays.
    await store.deleteDead([letter]);
    return { status: 'replayed', eventIds: revived.value.map(({ eventId }) => eventId) };
  }

  /** A message for each event, so that one that ends the worker takes none of its neighbours with it again. */
  async function publishEach(events: readonly ActivityEvent[]): Promise<void> {
    for (let start = 0; start < events.length; start += PUBLISHES_AT_ONCE) {
      const some = events.slice(start, start + PUBLISHES_AT_ONCE);
      await Promise.all(some.map((event) => queue.publish([event])));
    }
  }

  async function page(filter: BulkFilter) {
    const letters = await store.listDead({ ...filter, limit: BULK_LETTERS_MAX });
    return { letters, next: letters.length === BULK_LETTERS_MAX ? letters.at(-1) : undefined };
  }

  return {
    replay,

    async replayMany(filter) {
      const { letters, next } = await page(filter);
      const result: BulkReplay = { replayed: 0, refused: [], next };
      for (let start = 0; start < letters.length; start += REPLAYS_AT_ONCE) {
        const some = letters.slice(start, start + REPLAYS_AT_ONCE);
        const replays = await Promise.all(some.map(async ({ id }) => ({ id, outcome: await replay(id) })));
        for (const { id, outcome } of replays) {
          if (outcome.status === 'replayed') result.replayed += 1;
          if (outcome.status === 'refused') result.refused.push({ id, details: outcome.details });
        }
      }
      return result;
    },

    async purge(id) {
      const letter = await store.getDead(id);
      return letter !== null && (await store.deleteDead([letter])) > 0;
    },

    async purgeMany(filter) {
      const { letters, next } = await page(filter);
      return { purged: await store.deleteDead(letters), next };
    },
  };
}

function parseBody({
  body,
}: DeadLetter): { ok: true; value: unknown } | { ok: false; details: FieldError[] } {
  try {
    const { events, isOne } = readMessage(body);
    return { ok: true, value: isOne ? events[0] : events };
  } catch {
    return { ok: false, details: [{ field: '', message: 'the bytes are not JSON in UTF-8' }] };
  }
}
