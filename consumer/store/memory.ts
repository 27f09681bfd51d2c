import { StoreUnavailable } from '@event-tracker/shared/errors';
import { toActivity } from './activity.ts';
import { compareText, createMemoryDeadLetters } from './memory-dead-letters.ts';
import { createMemoryHours } from './memory-hours.ts';
import { addCounts, noCounts, type ProcessReport } from '@event-tracker/shared/process-report';
import { pageOf } from './page.ts';
import {
  type ActivityHead,
  type Delivery,
  HEAD_TEXT_LENGTH_MAX,
  type ListFilter,
  type SaveOutcome,
  type Store,
  type StoredActivity,
} from './store.ts';

export interface MemoryStore extends Store {
  /** While true, every call rejects with StoreUnavailable. */
  away: boolean;
  /** Ids of the events that this store rejects. */
  readonly rejects: Set<string>;
}

/** A store for tests: it keeps the port's promises but the one to survive a crash. */
export function createMemoryStore(worker = 'memory'): MemoryStore {
  const activities = new Map<string, StoredActivity>();

  async function reach(): Promise<void> {
    // Other callers get their turn, as with a database.
    await Promise.resolve();
    if (store.away) throw new StoreUnavailable('the memory store is away');
  }

  function saveOne(delivery: Delivery): SaveOutcome {
    const { eventId } = delivery.event;
    if (store.rejects.has(eventId)) return { status: 'rejected', error: 'rejected by the test' };
    if (activities.has(eventId)) return { status: 'duplicate' };
    activities.set(eventId, copy(toActivity(delivery, worker, new Date())));
    return { status: 'stored' };
  }

  const store: MemoryStore = {
    ...createMemoryDeadLetters(reach),
    ...createMemoryHours(reach, (filter) => store.list(filter)),
    away: false,
    rejects: new Set(),
    prepare: reach,
    ping: reach,
    async save(deliveries) {
      await reach();
      return deliveries.map(saveOne);
    },
    async list(filter) {
      await reach();
      return [...activities.values()]
        .filter((activity) => matches(activity, filter))
        .sort(newestFirst)
        .slice(0, filter.limit)
        .map(copy);
    },
    async get(eventId) {
      await reach();
      const activity = activities.get(eventId);
      return activity ? copy(activity) : null;
    },
    async tail({ since, limit }) {
      await reach();
      const stored = [...activities.values()].reverse().map(toHead);
      return stored
        .filter(({ processedAt }) => processedAt >= since)
        .sort((a, b) => b.processedAt.getTime() - a.processedAt.getTime())
        .slice(0, limit);
    },
    ...createMemoryProcesses(reach),
    close: () => Promise.resolve(),
  };
  return store;
}

function createMemoryProcesses(
  reach: () => Promise<void>,
): Pick<Store, 'reportProcess' | 'listProcesses' | 'foldProcesses'> {
  const processes = new Map<string, ProcessReport>();
  let folded = noCounts();
  return {
    async reportProcess(report, isFirst) {
      await reach();
      if (!isFirst && processes.get(report.id)?.ended !== false) return false;
      processes.set(report.id, structuredClone(report));
      return true;
    },
    async listProcesses() {
      await reach();
      return { processes: structuredClone([...processes.values()]), folded };
    },
    async foldProcesses(silentSince) {
      await reach();
      for (const { id, ended, reportedAt, counts } of processes.values()) {
        if (!ended && reportedAt >= silentSince) continue;
        folded = addCounts(folded, counts);
        processes.delete(id);
      }
    },
  };
}

function toHead({ payload, processing, ...activity }: StoredActivity): ActivityHead {
  const { eventId, userId, eventType, timestamp, source } = activity;
  const { receivedAt, processedAt } = processing;
  const text = source.slice(0, HEAD_TEXT_LENGTH_MAX);
  return {
    eventId,
    userId,
    eventType,
    timestamp,
    page: pageOf(payload),
    source: text,
    receivedAt,
    processedAt,
  };
}

/** What a caller does to its payload must not reach the store. */
function copy(activity: StoredActivity): StoredActivity {
  return { ...activity, payload: JSON.parse(JSON.stringify(activity.payload)) as Record<string, unknown> };
}

function matches(activity: StoredActivity, { userId, eventType, from, to, after }: ListFilter): boolean {
  return (
    (userId === undefined || activity.userId === userId) &&
    (eventType === undefined || activity.eventType === eventType) &&
    (from === undefined || activity.timestamp >= from) &&
    (to === undefined || activity.timestamp < to) &&
    (after === undefined || newestFirst(activity, after) > 0)
  );
}

type Place = Pick<StoredActivity, 'timestamp' | 'eventId'>;

function newestFirst(a: Place, b: Place): number {
  return b.timestamp.getTime() - a.timestamp.getTime() || compareText(b.eventId, a.eventId);
}
