import { pageOf } from './page.ts';
import { CLAIM_MS, type HourRecord, type HourStore, MARK_MS, RECOUNT_MS, type Store } from './store.ts';

interface MarkedHour extends HourRecord {
  dirtyUntil: number;
  dueAt: number;
  countedAt: number;
}

/** The part of the store for tests that counts by hour. */
export function createMemoryHours(reach: () => Promise<void>, list: Store['list']): HourStore {
  const hours = new Map<number, MarkedHour>();

  return {
    async markHours(marked, forMs = MARK_MS) {
      await reach();
      const now = Date.now();
      for (const hour of marked) {
        const unmarked = { hour, counts: null, dirtyUntil: 0, dueAt: now, countedAt: -Infinity };
        const record = hours.get(hour.getTime()) ?? unmarked;
        const dirtyUntil = Math.max(record.dirtyUntil, now + forMs);
        hours.set(hour.getTime(), { ...record, isDirty: true, dirtyUntil });
      }
    },
    async claimHour() {
      await reach();
      const now = Date.now();
      const due = [...hours.values()].filter(({ isDirty, dueAt }) => isDirty && dueAt <= now);
      const newest = due.toSorted((a, b) => b.hour.getTime() - a.hour.getTime())[0];
      if (!newest) return null;
      newest.dueAt = now + CLAIM_MS;
      return { hour: newest.hour, claimedAt: new Date(now) };
    },
    async scan(filter) {
      const activities = await list(filter);
      return {
        eventTypes: activities.map(({ eventType }) => eventType),
        userIds: activities.map(({ userId }) => userId),
        pages: activities.map(({ payload }) => pageOf(payload)).filter((page) => page !== null),
        next: activities.length < filter.limit ? null : activities.at(-1)!,
      };
    },
    async keepHour({ hour, claimedAt }, counts) {
      await reach();
      const record = hours.get(hour.getTime());
      if (!record || record.countedAt >= claimedAt.getTime()) return;
      record.isDirty = record.dirtyUntil >= claimedAt.getTime();
      record.dueAt = Date.now() + RECOUNT_MS;
      record.countedAt = claimedAt.getTime();
      record.counts = structuredClone(counts);
    },
    async listHours(from, to) {
      await reach();
      return [...hours.values()]
        .filter(({ hour }) => hour >= from && hour < to)
        .sort((a, b) => a.hour.getTime() - b.hour.getTime())
        .map(({ hour, isDirty, counts }) => ({ hour, isDirty, counts }));
    },
  };
}
