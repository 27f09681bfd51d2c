import { isDeepStrictEqual } from 'node:util';
import { type Document } from 'mongodb';
import { type Promised } from './ledger.ts';

/** What in a stored document is not as the client was promised; undefined where all of it is. */
export function describeMismatch(
  document: Document,
  promised: Promised,
  startedAt: Date,
): string | undefined {
  const { expected, answers } = promised;
  const { _id, eventId, userId, eventType, timestamp, payload, source, processing, ...rest } = document;
  const requests = answers.map(({ requestId, userAgent }) => JSON.stringify([requestId, userAgent]));
  const facts = (processing ?? {}) as Document;
  const { receivedAt, processedAt, attempts, redelivered, worker, requestId, ip, userAgent, ...more } = facts;
  const now = new Date();
  const checks: Record<string, boolean> = {
    _id: _id === eventId,
    userId: userId === expected.userId,
    eventType: eventType === expected.eventType,
    timestamp: timestamp instanceof Date && timestamp.getTime() === expected.timestamp.getTime(),
    payload: isDeepStrictEqual(payload, expected.payload),
    source: source === 'activities',
    receivedAt: isBetween(startedAt, receivedAt, now),
    processedAt: isBetween(receivedAt as Date, processedAt, now),
    attempts: Number.isInteger(attempts) && attempts >= 1,
    redelivered: redelivered === attempts > 1,
    worker: typeof worker === 'string' && worker !== '',
    request: requests.includes(JSON.stringify([requestId, userAgent])),
    ip: ['127.0.0.1', '::ffff:127.0.0.1', '::1'].includes(ip as string),
    'other fields': Object.keys(rest).length === 0 && Object.keys(more).length === 0,
  };
  const wrong = Object.keys(checks).filter((name) => !checks[name]);
  return wrong.length === 0 ? undefined : `${wrong.join(', ')} of ${String(_id)} is wrong`;
}

/** All of these clocks are one and the same machine's. */
function isBetween(from: Date, moment: unknown, to: Date): boolean {
  return moment instanceof Date && from.getTime() <= moment.getTime() && moment.getTime() <= to.getTime();
}
