/** How many users the events are of. */
const USERS = 1000;
const TYPES = ['page_view', 'click', 'search', 'add_to_cart'];

/** What a client sends as one event: about 300 bytes of JSON. */
export function anActivity(index: number, users = USERS) {
  return {
    userId: `user-${String((index * 7919) % users).padStart(6, '0')}`,
    eventType: TYPES[index % TYPES.length] ?? '',
    timestamp: new Date().toISOString(),
    payload: {
      page: `/products/${10_000 + (index % 50_000)}`,
      referrer: 'https://www.example.org/catalogue?page=2',
      session: `s-${(index * 104_729).toString(36).padStart(10, '0')}`,
      viewport: { width: 1440, height: 900 },
      tags: ['spring', 'sale'],
      price: 12.5,
    },
  };
}

/** One event as our API puts it on the queue. */
export function anEvent(index: number, eventId: string) {
  return {
    eventId,
    ...anActivity(index),
    source: 'activities',
    requestId: eventId,
    ip: '127.0.0.1',
    userAgent: 'bench',
    receivedAt: new Date().toISOString(),
  };
}

/** One event as our worker stores it. */
export function aDocument(event: ReturnType<typeof anEvent>, processedAt: Date) {
  const { eventId, userId, eventType, timestamp, payload, source, receivedAt, requestId, ip, userAgent } =
    event;
  const processing = {
    receivedAt: new Date(receivedAt),
    processedAt,
    attempts: 1,
    redelivered: false,
    worker: 'bench:1',
    requestId,
    ip,
    userAgent,
  };
  const at = new Date(timestamp);
  return { _id: eventId, eventId, userId, eventType, timestamp: at, payload, source, processing };
}
