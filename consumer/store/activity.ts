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

const PAGE_FIELDS = ['path', 'page', 'page_path'] as const;
const PAGE_LENGTH_MAX = 200;

/** The fields of a payload that `pageOf` reads. */
export const pagePaths = PAGE_FIELDS.map((field) => `payload.${field}`);

/** The page on which an event happened, as far as its payload says so: cut at 200 characters, none of them halved. */
export function pageOf(payload: Readonly<Record<string, unknown>>): string | null {
  const page = PAGE_FIELDS.map((field) => payload[field]).find((value) => typeof value === 'string');
  if (page === undefined || page.length <= PAGE_LENGTH_MAX) return page ?? null;
  return Array.from(page.slice(0, 2 * PAGE_LENGTH_MAX))
    .slice(0, PAGE_LENGTH_MAX)
    .join('');
}
