import { HOUR_MS, Tally } from '@event-tracker/consumer/store/hour-counts';
import { type HourRecord, type HourStore } from '@event-tracker/consumer/store/store';
import { UserSketch } from '@event-tracker/consumer/store/user-sketch';

/** Of event types and pages the answer shows so many, the most frequent ones. */
const NAMES_MAX = 50;
/** Hours that are read at a time: what an overview holds in memory does not grow with its length. */
const HOURS_READ_MAX = 500;

export const INTERVALS_MS = { hour: HOUR_MS, day: 24 * HOUR_MS };
export type Interval = keyof typeof INTERVALS_MS;

/** Whole intervals: `from` included, `to` excluded. */
export interface OverviewRange {
  from: Date;
  to: Date;
  interval: Interval;
}

interface Period {
  from: Date;
  to: Date;
  total: number;
  users: number;
  byType: { eventType: string; count: number }[];
  topPages: { page: string; count: number }[];
  series: { start: Date; count: number; users: number }[];
}

export interface Overview extends Period {
  interval: Interval;
  /** The time of the same length right before. */
  previous: Period;
  /** Hours of both whose counts may lack some of their events. */
  uncounted: number;
}

/** Adds up the hours of a range, which come in any order. */
export class PeriodTally {
  readonly #range: OverviewRange;
  readonly #byType = new Tally();
  readonly #pages = new Tally();
  readonly #users = new UserSketch();
  readonly #buckets: { count: number; users: UserSketch }[];
  uncounted = 0;

  constructor(range: OverviewRange) {
    this.#range = range;
    const length = (range.to.getTime() - range.from.getTime()) / INTERVALS_MS[range.interval];
    this.#buckets = Array.from({ length }, () => ({ count: 0, users: new UserSketch() }));
  }

  add({ hour, isDirty, counts }: HourRecord): void {
    if (isDirty) this.uncounted += 1;
    if (!counts) return;
    for (const [eventType, count] of counts.byType) this.#byType.add(eventType, count);
    for (const [page, count] of counts.pages) this.#pages.add(page, count);
    this.#users.merge(counts.users);
    const { from, interval } = this.#range;
    const index = Math.floor((hour.getTime() - from.getTime()) / INTERVALS_MS[interval]);
    const bucket = this.#buckets[index]!;
    bucket.count += counts.total;
    bucket.users.merge(counts.users);
  }

  period(): Period {
    const { from, to, interval } = this.#range;
    return {
      from,
      to,
      total: this.#buckets.reduce((sum, { count }) => sum + count, 0),
      users: this.#users.estimate(),
      byType: this.#byType.top(NAMES_MAX).map(([eventType, count]) => ({ eventType, count })),
      topPages: this.#pages.top(NAMES_MAX).map(([page, count]) => ({ page, count })),
      series: this.#buckets.map(({ count, users }, index) => ({
        start: new Date(from.getTime() + index * INTERVALS_MS[interval]),
        count,
        users: users.estimate(),
      })),
    };
  }
}

/** What was stored in a range of time, from the counts by hour. Rejects with StoreUnavailable while the store is away. */
export async function readOverview(
  store: Pick<HourStore, 'listHours'>,
  range: OverviewRange,
): Promise<Overview> {
  const lengthMs = range.to.getTime() - range.from.getTime();
  const before = { ...range, from: new Date(range.from.getTime() - lengthMs), to: range.from };
  const [now, previous] = await Promise.all([range, before].map((one) => readPeriod(store, one)));
  return {
    interval: range.interval,
    ...now!.period(),
    previous: previous!.period(),
    uncounted: now!.uncounted + previous!.uncounted,
  };
}

async function readPeriod(store: Pick<HourStore, 'listHours'>, range: OverviewRange): Promise<PeriodTally> {
  const tally = new PeriodTally(range);
  for (let { from } = range; from < range.to;) {
    const to = new Date(Math.min(from.getTime() + HOURS_READ_MAX * HOUR_MS, range.to.getTime()));
    for (const record of await store.listHours(from, to)) tally.add(record);
    from = to;
  }
  return tally;
}
