import { type Activity, type ActivityEvent } from '@event-tracker/shared/event';
import { createId, createIds, type JsonList } from '@event-tracker/shared/id';
import { type Sent } from '@event-tracker/shared/message';
import { type Queue } from '@event-tracker/shared/queue/queue';

/** What the API knows of the request that brought some events. */
export type RequestFacts = Pick<ActivityEvent, 'source' | 'receivedAt' | 'requestId' | 'ip' | 'userAgent'>;

export interface Accepted {
  /** Of the events, in their order. */
  ids: JsonList;
  /**
   * Resolves once the queue holds all events durably. Rejects with QueueUnavailable otherwise; some may then be queued, and
   * sending them again with the same ids is harmless.
   */
  queued: Promise<void>;
}

export interface Ingestion {
  /** `sent` are the same activities, without ids of their own, as the JSON that came. */
  accept(activities: readonly Activity[], facts: RequestFacts, sent?: Sent): Accepted;
}

export function createIngestion(queue: Pick<Queue, 'publish'>): Ingestion {
  return {
    accept(activities, facts, sent) {
      // Written out, because spreading costs more than checking the event.
      const { source, receivedAt, requestId, ip, userAgent } = facts;
      const ids = idsOf(activities);
      const events = activities.map(({ userId, eventType, timestamp, payload }, index): ActivityEvent => ({
        eventId: ids.items[index]!,
        userId,
        eventType,
        timestamp,
        payload,
        source,
        receivedAt,
        requestId,
        ip,
        userAgent,
      }));
      return {
        ids,
        queued: queue.publish(events, sent && { bytes: sent.bytes, text: sent.text, eventIds: ids.json }),
      };
    },
  };
}

/** Their own, and new ones for those that have none. */
function idsOf(activities: readonly Activity[]): JsonList {
  if (activities.every(({ eventId }) => eventId === undefined)) return createIds(activities.length);
  const items = activities.map(({ eventId = createId() }) => eventId);
  return { items, json: JSON.stringify(items) };
}
