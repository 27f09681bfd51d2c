import { type CountedActivity, type HourCounts } from './store.ts';
import { UserSketch } from './user-sketch.ts';

export const HOUR_MS = 60 * 60 * 1000;
/** Of an hour so many event types and pages are kept, the most frequent ones. */
export const HOUR_NAMES_MAX = 100;
/** So many different names are counted at a time; beyond, those that were met least often are forgotten. */
export const TALLY_NAMES_MAX = 10_000;

/** The beginning of the hour, in UTC. */
export function hourOf(time: Date): Date {
  return new Date(Math.floor(time.getTime() / HOUR_MS) * HOUR_MS);
}

/** How often each name was met: exactly, as long as there are no more than `TALLY_NAMES_MAX` of them. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    if (this.#counts.size <= TALLY_NAMES_MAX) return;
    const kept = this.top(TALLY_NAMES_MAX / 2);
    this.#counts.clear();
    for (const [one, times] of kept) this.#counts.set(one, times);
  }

  /** Most frequent first; names break ties. */
  top(namesMax: number): [string, number][] {
    const sorted = [...this.#counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
    return sorted.slice(0, namesMax);
  }
}

/** What is counted of the events of one hour. */
export class HourTally {
  #total = 0;
  readonly #byType = new Tally();
  readonly #pages = new Tally();
  readonly #users = new UserSketch();

  add({ eventType, page, userId }: CountedActivity): void {
    this.#total += 1;
    this.#byType.add(eventType);
    if (page !== null) this.#pages.add(page);
    this.#users.add(userId);
  }

  counts(): HourCounts {
    return {
      total: this.#total,
      byType: this.#byType.top(HOUR_NAMES_MAX),
      pages: this.#pages.top(HOUR_NAMES_MAX),
      users: this.#users.encode(),
    };
  }
}
