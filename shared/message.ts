import { type ActivityEvent } from './event.ts';
import { itemsOfArray, quote, readJson } from './json.ts';

/** What the events of one request have in common. */
type Facts = Pick<ActivityEvent, 'source' | 'receivedAt' | 'requestId' | 'ip' | 'userAgent'>;

/** That, and the id of each. */
interface BatchFacts extends Facts {
  eventIds: readonly string[];
}

/** The events of a request in the words of its client: a JSON array of them, or the only one, a JSON object. */
export interface Sent {
  bytes: Buffer;
  /** The same, decoded. */
  text: string;
}

/** What was sent, and what it was given. */
export interface AsSent extends Sent {
  /** The ids that they were given, as a JSON array. */
  eventIds: string;
}

/** How the message of a batch begins. */
const BATCH = Buffer.from('{"batch":');
const BRACKET = '['.charCodeAt(0);

/** One event as its client sent it, a JSON object, with what the API adds behind that; and how many bytes these are. */
export function packEvent({ bytes, text, eventIds }: AsSent, facts: Facts): { text: string; bytes: number } {
  const added = `,"eventId":${eventIds.slice(1, -1)},${endOfFacts(facts)}`;
  // The comma stands in place of the client's last bracket.
  return { text: text.slice(0, -1) + added, bytes: bytes.length - 1 + Buffer.byteLength(added) };
}

/**
 * The message of a whole batch: the bytes that its client sent, a JSON array, and behind them what the API adds to each of
 * its events. Writing the events out anew took the API longer than all else it does for them.
 */
export function packBatch({ bytes, eventIds }: Omit<AsSent, 'text'>, facts: Facts): Buffer {
  const end = endOfBatch(eventIds, facts);
  const endAt = BATCH.length + bytes.length;
  const message = Buffer.allocUnsafe(endAt + Buffer.byteLength(end));
  BATCH.copy(message);
  bytes.copy(message, BATCH.length);
  message.write(end, endAt);
  return message;
}

function endOfBatch(eventIds: string, facts: Facts): string {
  return `,"eventIds":${eventIds},${endOfFacts(facts)}`;
}

/** The rest of a JSON object. */
function endOfFacts({ source, receivedAt, requestId, ip, userAgent }: Facts): string {
  return `"source":${quote(source)},"receivedAt":${quote(receivedAt)},"requestId":${quote(requestId)},"ip":${quote(ip)},"userAgent":${quote(userAgent)}}`;
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
  // Only a message with a bad event is taken apart.
  let items: Buffer[] | undefined;
  if (Array.isArray(content)) {
    const bytesOf = (index: number) => (items ??= itemsOfArray(bytes))[index] ?? bytes;
    return { events: content, isPlain, isOne: false, bytesOf };
  }
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
    bytesOf: (index) => {
      const item = (items ??= itemsOfBatch(bytes, content))[index];
      return item ? withFacts(item, factsOf(index)) : bytes;
    },
  };
}

/** Whether it is what `packBatch` makes. Anything else that begins like it is one event, and a bad one. */
function isBatch(content: unknown, bytes: Buffer): content is BatchFacts & { batch: readonly object[] } {
  if (!BATCH.every((byte, at) => byte === bytes[at]) || bytes[BATCH.length] !== BRACKET) return false;
  const { batch, eventIds, source, receivedAt, requestId, ip, userAgent } = content as Record<
    string,
    unknown
  >;
  return (
    Array.isArray(batch) &&
    Array.isArray(eventIds) &&
    eventIds.length === batch.length &&
    batch.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item)) &&
    [...(eventIds as unknown[]), source, receivedAt].every((fact) => typeof fact === 'string') &&
    [requestId, ip, userAgent].every((fact) => typeof fact === 'string' || fact === null)
  );
}

/** None where another program has written more behind the array, such as a second one, which is then the one that counts. */
function itemsOfBatch(bytes: Buffer, facts: BatchFacts): Buffer[] {
  const items = itemsOfArray(bytes);
  const end = items.reduce((sum, { length }) => sum + length + 1, BATCH.length + 1);
  return bytes.toString('utf8', end) === endOfBatch(JSON.stringify(facts.eventIds), facts) ? items : [];
}

/** The text of a JSON object with more fields behind its own. */
function withFacts(item: Buffer, facts: object): Buffer {
  const comma = item.includes('"') ? ',' : '';
  const end = item.lastIndexOf('}');
  return Buffer.concat([item.subarray(0, end), Buffer.from(comma + JSON.stringify(facts).slice(1))]);
}
