import { hourOf } from '../store/hour-counts.ts';
import { type Delivery, MARK_MS, type SaveOutcome, type Store } from '../store/store.ts';

/** A worker relies on a mark of its own for so long. The rest of `MARK_MS` is for clocks of databases that differ. */
const MARK_TRUSTED_MS = MARK_MS / 2;
/** So many hours a worker remembers to have marked; of more the oldest is forgotten, and marked once more than needed. */
const MARKS_MAX = 10_000;
/** Of `2023-10-27T10:00:00.000Z`, as the queue has it, the date and the hour. */
const HOUR_LENGTH = 13;

/**
 * Marks the hours of what is saved as dirty, behind the save and before its acknowledgement.
 *
 * When a save resolves, its hours are dirty until later than the moment at which it was done. So a count that began too
 * early to find an event leaves the hour dirty, and it is counted again. A worker that ends between save and mark has
 * acknowledged nothing: the events are delivered again, and duplicates are marked like what was stored.
 */
export function markHours(store: Store): Store {
  /** When the last mark of an hour was sent, by the monotonic clock. */
  const marks = new Map<number, number>();
  /** What was saved and not marked yet. */
  const saved = new WeakMap<readonly Delivery[], SaveOutcome[]>();

  async function mark(deliveries: readonly Delivery[], outcomes: readonly SaveOutcome[]): Promise<void> {
    const now = performance.now();
    const hours = hoursOf(deliveries, outcomes);
    const due = [...hours].filter((hour) => now - (marks.get(hour) ?? -Infinity) >= MARK_TRUSTED_MS);
    if (due.length === 0) return;
    await store.markHours(due.map((hour) => new Date(hour)));
    for (const hour of due) {
      // The map is in the order of the marks.
      marks.delete(hour);
      marks.set(hour, now);
    }
    for (const [hour] of marks) {
      if (marks.size <= MARKS_MAX) break;
      marks.delete(hour);
    }
  }

  return {
    ...store,

    async save(deliveries) {
      // A mark that failed is tried again by itself: saved once more, the events would be taken for duplicates.
      const outcomes = saved.get(deliveries) ?? (await store.save(deliveries));
      saved.set(deliveries, outcomes);
      await mark(deliveries, outcomes);
      return outcomes;
    },
  };
}

/** The hours of what is in the store now. Events come in the order of their time: most are of the hour of the one before. */
function hoursOf(deliveries: readonly Delivery[], outcomes: readonly SaveOutcome[]): Set<number> {
  const hours = new Set<number>();
  let hourText = '';
  deliveries.forEach(({ event: { timestamp } }, index) => {
    if (outcomes[index]?.status === 'rejected') return;
    if (hourText !== '' && timestamp.startsWith(hourText)) return;
    hourText = timestamp.slice(0, HOUR_LENGTH);
    hours.add(hourOf(Date.parse(timestamp)));
  });
  return hours;
}
