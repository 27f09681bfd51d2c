import { type CountedPage, type HourCounts } from './store.ts';
import { UserSketch } from './user-sketch.ts';

export const HOUR_MS = 60 * 60 * 1000;
/** Of an hour so many event types and pages are kept, the most frequent ones. */
export const HOUR_NAMES_MAX = 100;
/** So many different names are counted at a time; beyond, those that were met least often are forgotten. */
export const TALLY_NAMES_MAX = 10_000;

/** The beginning of the hour of a moment, both in milliseconds since 1970; hours are those of UTC. */
export function hourOf(timeMs: number): number {
  return Math.floor(timeMs / HOUR_MS) * HOUR_MS;
}

/** How often each name was met: exactly, as long as there are no more than `TALLY_NAMES_MAX` of them. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    if (this.#counts.size > TALLY_NAMES_MAX) this.#forget();
  }

  /** Most frequent first; names break ties. */
  top(namesMax: number): [string, number][] {
    const least = this.#countOf(namesMax);
    const frequent = [...this.#counts].filter(([, count]) => count >= least);
    return frequent.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, namesMax);
  }

  /** How often the name of this rank was met. Numbers alone are sorted some ten times as fast as names. */
  #countOf(rank: number): number {
    const counts = Float64Array.from(this.#counts.values()).sort();
    return counts[counts.length - rank] ?? 0;
  }

  /** Leaves half of the names. */
  #forget(): void {
    const least = this.#countOf(TALLY_NAMES_MAX / 2);
    let surplus = this.#counts.size - TALLY_NAMES_MAX / 2;
    for (const limit of [least - 1, least]) {
      for (const [name, count] of this.#counts) {
        if (surplus === 0) return;
        if (count <= limit && this.#counts.delete(name)) surplus -= 1;
      }
    }
  }
}

/** What is counted of the events of one hour. */
export class HourTally {
  #total = 0;
  readonly #byType = new Tally();
  readonly #pages = new Tally();
  readonly #users = new UserSketch();

  add({ eventTypes, pages, userIds }: CountedPage): void {
    this.#total += eventTypes.length;
    for (const eventType of eventTypes) this.#byType.add(eventType);
    for (const page of pages) this.#pages.add(page);
    for (const userId of userIds) this.#users.add(userId);
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
