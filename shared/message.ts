import { type ActivityEvent } from './event.ts';
import { itemsOfArray, readJson } from './json.ts';

/** What the events of one request have in common, and the id of each. */
interface BatchFacts extends Pick<ActivityEvent, 'source' | 'receivedAt' | 'requestId' | 'ip' | 'userAgent'> {
  eventIds: readonly string[];
}

/** How the message of a batch begins. */
const BATCH = Buffer.from('{"batch":');
const BRACKET = '['.charCodeAt(0);

/** One event from the bytes that its client sent, a JSON object, with what the API adds behind them. */
export function packEvent(asSent: Buffer, event: ActivityEvent): string {
  const { eventId, source, receivedAt, requestId, ip, userAgent } = event;
  const facts = JSON.stringify({ eventId, source, receivedAt, requestId, ip, userAgent });
  return `${asSent.toString('utf8', 0, asSent.length - 1)},${facts.slice(1)}`;
}

/**
 * The message of a whole batch: the bytes that its client sent, a JSON array, and behind them what the API adds to each of
 * its events. Writing the events out anew took the API longer than all else it does for them.
 */
export function packBatch(asSent: Buffer, events: readonly ActivityEvent[]): Buffer {
  const { source, receivedAt, requestId, ip, userAgent } = events[0]!;
  const eventIds = events.map(({ eventId }) => eventId);
  const facts: BatchFacts = { eventIds, source, receivedAt, requestId, ip, userAgent };
  return Buffer.concat([BATCH, asSent, Buffer.from(`,${JSON.stringify(facts).slice(1)}`)]);
}

export interface MessageContent {
  /** Nothing is checked of them. */
  events: unknown[];
  /** What `readJson` says of them. */
  isPlain: boolean;
  /** Whether the message is one event and nothing else. */
  isOne: boolean;
  /** The bytes of one of the events, as a message of its own. */
  bytesOf: (index: number) => Buffer;
}

/** Reads a message: one event, a JSON array of them, or a batch. Throws what `readJson` throws. */
export function readMessage(bytes: Buffer): MessageContent {
  const { value: content, isPlain } = readJson(bytes);
  if (!Array.isArray(content) && !isBatch(content, bytes))
    return { events: [content], isPlain, isOne: true, bytesOf: () => bytes };
  // Only a message with a bad event is taken apart. A batch has its array first.
  let items: Buffer[] | undefined;
  const itemOf = (index: number) => (items ??= itemsOfArray(bytes))[index] ?? bytes;
  if (Array.isArray(content)) return { events: content, isPlain, isOne: false, bytesOf: itemOf };
  const { batch, eventIds, source, receivedAt, requestId, ip, userAgent } = content;
  const factsOf = (index: number) => ({
    eventId: eventIds[index],
    ...{ source, receivedAt, requestId, ip, userAgent },
  });
  return {
    // Written out, because spreading the facts costs more than checking the event.
    events: batch.map((activity, index) => ({
      ...activity,
      eventId: eventIds[index],
      source,
      receivedAt,
      requestId,
      ip,
      userAgent,
    })),
    isPlain,
    isOne: false,
    bytesOf: (index) => withFacts(itemOf(index), factsOf(index)),
  };
}

function isBatch(content: unknown, bytes: Buffer): content is BatchFacts & { batch: readonly object[] } {
  if (!bytes.subarray(0, BATCH.length).equals(BATCH) || bytes[BATCH.length] !== BRACKET) return false;
  const { batch, eventIds } = content as { batch?: unknown; eventIds?: unknown };
  return Array.isArray(batch) && Array.isArray(eventIds) && eventIds.length === batch.length;
}

/** The text of a JSON object with more fields behind its own; any other JSON text as it is. */
function withFacts(item: Buffer, facts: object): Buffer {
  const end = item.lastIndexOf('}');
  if (end < 0) return item;
  const comma = item.includes('"') ? ',' : '';
  return Buffer.concat([item.subarray(0, end), Buffer.from(comma + JSON.stringify(facts).slice(1))]);
}
