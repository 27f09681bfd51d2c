import { type ActivityEvent } from '../event.ts';

/** A message grows no larger than this unless a single event is. Small messages keep broker and worker memory flat. */
export const MESSAGE_BYTES_MAX = 256 * 1024;

/**
 * The messages that carry some events: a JSON object for a single event, a JSON array for several, split so that
 * each stays within `MESSAGE_BYTES_MAX`.
 */
export function encodeMessages(events: readonly ActivityEvent[]): Buffer[] {
  const messages: Buffer[] = [];
  let items: string[] = [];
  let bytes = 0;
  const flush = () => {
    if (items.length === 0) return;
    messages.push(Buffer.from(items.length === 1 ? items.join() : `[${items.join()}]`));
    items = [];
    bytes = 0;
  };
  for (const event of events) {
    const item = JSON.stringify(event);
    const size = Buffer.byteLength(item) + 1;
    if (bytes + size > MESSAGE_BYTES_MAX) flush();
    items.push(item);
    bytes += size;
  }
  flush();
  return messages;
}
