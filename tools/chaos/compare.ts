import { type StoreReader } from '../pairs.ts';
import { type Outcome } from './load.ts';

/** Counts of events; `wrong` names some of those that are not as they have to be. */
export interface Comparison {
  stored: number;
  /** Ids that are in the store more than once, or in the store and among the dead letters. */
  doubled: number;
  /** Ids that had a 202 and are neither in the store nor among the dead letters. */
  lost: number;
  /** Ids that were never sent. */
  foreign: number;
  deadLetters: number;
  /** Stored from a delivery that was not the first one of its message. */
  redelivered: number;
  /** Stored later after their receipt than `HELD_BACK_MS`. */
  heldBack: number;
  wrong: string[];
}

/** An event that takes longer than this from its receipt to its write waited for a part that was away. */
export const HELD_BACK_MS = 500;
const WRONG_SHOWN_MAX = 5;

interface StoredEvent {
  eventId: string;
  processing: { redelivered: boolean; receivedAt: Date; processedAt: Date };
}

/** Compares what the clients were told with what is stored. */
export async function compare(ledger: ReadonlyMap<string, Outcome>, store: StoreReader): Promise<Comparison> {
  const found = new Map<string, number>();
  const result = { stored: 0, redelivered: 0, heldBack: 0 };
  const wrong: string[] = [];
  for await (const document of store.activities()) {
    const { eventId, processing } = document as StoredEvent;
    const { redelivered, receivedAt, processedAt } = processing;
    found.set(eventId, (found.get(eventId) ?? 0) + 1);
    result.stored += 1;
    if (redelivered) result.redelivered += 1;
    if (processedAt.getTime() - receivedAt.getTime() > HELD_BACK_MS) result.heldBack += 1;
  }
  const letters = await store.deadLetters();
  for (const { eventId, reason, error } of letters) {
    const id = String(eventId);
    found.set(id, (found.get(id) ?? 0) + 1);
    wrong.push(`dead letter of ${id}: ${reason}, ${error}`);
  }
  const doubled = [...found].filter(([, count]) => count > 1).map(([id]) => id);
  const foreign = [...found.keys()].filter((id) => !ledger.has(id));
  const lost = [...ledger].filter(([id, outcome]) => outcome === 'ok' && !found.has(id)).map(([id]) => id);
  for (const id of doubled) wrong.push(`${id} is there ${found.get(id)} times`);
  for (const id of foreign) wrong.push(`${id} was never sent`);
  for (const id of lost) wrong.push(`${id} had its 202 and is lost`);
  return {
    ...result,
    doubled: doubled.length,
    lost: lost.length,
    foreign: foreign.length,
    deadLetters: letters.length,
    wrong: wrong.slice(0, WRONG_SHOWN_MAX),
  };
}
