/** Keepalive requests and beacons of a page that are underway may hold 64 KiB together; some of it is left alone. */
export const KEEPALIVE_BYTES_MAX = 60 * 1024;
/** Events of one request; a second one fits beside it when the page is left. */
export const CHUNK_BYTES_MAX = 28 * 1024;
/** What stands around the events of a request: when it was sent, and the write key. */
export const ENVELOPE_BYTES = 512;
/** Most events that are read from the queue at a time. */
export const READ_EVENTS_MAX = 250;
/** A request that is not answered by then is given up, and its events are sent again. */
export const REQUEST_TIMEOUT_MS = 30_000;

const RETRY_DELAY_MS = 1000;
const RETRY_DELAY_MAX_MS = 300_000;
/** A server may ask for a longer pause, but not for one that a visitor never sees the end of. */
export const RETRY_AFTER_MAX_MS = 3_600_000;

/** An event that waits, as JSON under a key that sorts by time. */
export type Entry = readonly [key: string, json: string];

export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The oldest entries that fit into so many bytes of a JSON array; a larger one among them is passed over. */
export function takeChunk(entries: readonly Entry[], bytesMax: number): Entry[] {
  let left = bytesMax;
  return entries.filter(([, json]) => {
    const bytes = byteLength(json) + 1;
    if (bytes > left) return false;
    left -= bytes;
    return true;
  });
}

/** How long to wait after so many failures in a row: doubling, up to half of it by chance, never less than asked for. */
export function retryDelayMs(failures: number, retryAfter: string | null, random = Math.random): number {
  const seconds = Number(retryAfter);
  const askedMs = Math.min(seconds > 0 ? seconds * 1000 : 0, RETRY_AFTER_MAX_MS);
  const delayMs = Math.min(RETRY_DELAY_MS * 2 ** (failures - 1), RETRY_DELAY_MAX_MS);
  // Browsers that were sent away together do not come back together.
  return Math.max(delayMs * (0.5 + random() / 2), askedMs + (askedMs && random() * RETRY_DELAY_MS));
}
