import { type Delivery, type StoredActivity } from './store.ts';

/** What every store keeps of a delivery. */
export function toActivity(
  { event, attempts, redelivered }: Delivery,
  worker: string,
  processedAt: Date,
): StoredActivity {
  const { eventId, userId, eventType, timestamp, payload, source, receivedAt, requestId, ip, userAgent } =
    event;
  return {
    eventId,
    userId,
    eventType,
    timestamp: new Date(timestamp),
    payload,
    source,
    processing: {
      receivedAt: new Date(receivedAt),
      processedAt,
      attempts,
      redelivered,
      worker,
      requestId,
      ip,
      userAgent,
    },
  };
}
