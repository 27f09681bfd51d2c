import { keep, kept } from './kept.ts';
import {
  byteLength,
  CHUNK_BYTES_MAX,
  ENVELOPE_BYTES,
  type Entry,
  KEEPALIVE_BYTES_MAX,
  READ_EVENTS_MAX,
  REQUEST_TIMEOUT_MS,
  RETRY_AFTER_MAX_MS,
  retryDelayMs,
  takeChunk,
} from './limits.ts';
import { type Queue } from './queue.ts';

export type DropReason = 'queue-full' | 'rejected' | 'too-large' | 'not-json';

export interface SenderOptions {
  /** The lock and the pause of this collector in this browser go by it. */
  name: string;
  endpoint: string;
  writeKey: string | undefined;
  flushAt: number;
  flushIntervalMs: number;
  queue: Queue;
  drop(this: void, reason: DropReason, entries: readonly Entry[], details?: unknown): void;
}

/** What the API says of a batch, as far as it matters here. */
interface Answer {
  rejected?: { index: number; details: unknown }[];
  details?: unknown;
}

/** Sends what waits in the queue until the API has confirmed it. */
export class Sender {
  readonly #options: SenderOptions;
  /** The events of this page that it does not know to be settled. A page that is left cannot read the database. */
  readonly #own = new Map<string, string>();
  /** The events that this page has sent without an answer yet: they are not sent twice. */
  readonly #underway = new Set<string>();
  #keepaliveBytes = 0;
  #fresh: Entry[] = [];
  #writes = Promise.resolve();
  #addedSinceFlush = 0;
  #failures = 0;
  #retryAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushAtMs = Infinity;
  #chunkBytesMax = CHUNK_BYTES_MAX;
  #stopped = false;
  #lastPass = Promise.resolve();
  #waitingPass: Promise<void> | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Takes an event that was just made. */
  add(entry: Entry): void {
    this.#own.set(...entry);
    // Events of one moment share a transaction; nothing happens to a page before its microtasks.
    if (this.#fresh.push(entry) === 1) queueMicrotask(() => this.#write());
    this.#addedSinceFlush += 1;
    if (this.#addedSinceFlush >= this.#options.flushAt) void this.flush();
    else this.#schedule(this.#options.flushIntervalMs);
  }

  /** Sends what waits in this browser; resolves when nothing waits any more, or when a pause has begun. */
  flush(): Promise<void> {
    this.#addedSinceFlush = 0;
    clearTimeout(this.#timer);
    this.#flushAtMs = Infinity;
    // One pass runs at a time, and at most one waits, which sees everything that is added until it begins.
    return (this.#waitingPass ??= this.#lastPass =
      this.#lastPass.then(() => {
        this.#waitingPass = undefined;
        return this.#alone(() => this.#pass());
      }));
  }

  /** Sends at once after failures, but not within a pause that the server asked for. */
  retryNow(): void {
    this.#retryAt = 0;
    void this.flush();
  }

  /** Hands over to the browser what it still takes from a page that may be gone next. The rest waits in the queue. */
  leave(): void {
    if (this.#askedPauseMs() > 0) return;
    const waiting = [...this.#own].filter(([key]) => !this.#underway.has(key));
    const chunk = takeChunk(waiting, KEEPALIVE_BYTES_MAX - this.#keepaliveBytes - ENVELOPE_BYTES);
    // Where the page stays, it goes on with the rest.
    if (chunk.length > 0) void this.#deliver(chunk).then(() => this.flush());
  }

  /** Nothing is sent by itself any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #write(): void {
    const written = this.#options.queue.add(this.#fresh).then((refused) => {
      refused.forEach(([key]) => this.#own.delete(key));
      if (refused.length > 0) this.#options.drop('queue-full', refused);
    });
    this.#fresh = [];
    this.#writes = this.#writes.then(() => written);
  }

  /** Flushes after this time, unless it does so earlier. */
  #schedule(delayMs: number): void {
    const at = Date.now() + delayMs;
    if (this.#stopped || at > this.#flushAtMs) return;
    clearTimeout(this.#timer);
    this.#flushAtMs = at;
    this.#timer = setTimeout(() => void this.flush(), delayMs);
  }

  /** One tab at a time. Where there are no locks every tab sends, and the ids make that harmless. */
  async #alone(work: () => Promise<void>): Promise<void> {
    let begun = false;
    const locked = () => {
      begun = true;
      return work();
    };
    await navigator.locks?.request(this.#options.name, locked).catch(() => undefined);
    if (!begun) await work();
  }

  async #pass(): Promise<void> {
    for (;;) {
      await this.#writes;
      const pauseMs = Math.max(this.#retryAt - Date.now(), this.#askedPauseMs());
      if (pauseMs > 0) return this.#schedule(pauseMs);
      const known = [...this.#own.keys()];
      const isWaiting = (key: string) => !this.#underway.has(key);
      const entries = await this.#options.queue.read(READ_EVENTS_MAX + this.#underway.size);
      const waiting = entries.filter(([key]) => isWaiting(key));
      if (waiting.length === 0) {
        // What is no longer in the queue, another tab has settled.
        known.filter(isWaiting).forEach((key) => this.#own.delete(key));
        return;
      }
      const chunk = takeChunk(waiting, this.#chunkBytesMax);
      if (!(await this.#deliver(chunk.length > 0 ? chunk : waiting.slice(0, 1)))) return;
    }
  }

  /** The pause that the server asked for is kept: it holds for all tabs and for later visits. */
  #askedPauseMs(): number {
    const leftMs = Number(kept(`${this.#options.name}:pause`)) - Date.now();
    // A longer one comes from a clock that was wrong then, or is now.
    return leftMs <= 2 * RETRY_AFTER_MAX_MS ? leftMs : 0;
  }

  #pause(retryAfter: string | null): void {
    this.#failures += 1;
    const delayMs = retryDelayMs(this.#failures, retryAfter);
    this.#retryAt = Date.now() + delayMs;
    if (retryAfter) keep(`${this.#options.name}:pause`, String(this.#retryAt));
    this.#schedule(delayMs);
  }

  /** Resolves to whether the next request may follow at once. Never rejects. */
  async #deliver(entries: readonly Entry[]): Promise<boolean> {
    const { endpoint, writeKey } = this.#options;
    const envelope = JSON.stringify({ sentAt: new Date().toISOString(), writeKey }).slice(1);
    const body = `{"events":[${entries.map(([, json]) => json).join()}],${envelope}`;
    const bytes = byteLength(body);
    const keepalive = bytes <= KEEPALIVE_BYTES_MAX - this.#keepaliveBytes;
    if (keepalive) this.#keepaliveBytes += bytes;
    entries.forEach(([key]) => this.#underway.add(key));
    try {
      const signal = AbortSignal.timeout?.(REQUEST_TIMEOUT_MS) ?? null;
      // The type of a text is text/plain, for which no browser asks beforehand: a page that is left has no time for it.
      const init: RequestInit = { method: 'POST', body, keepalive, credentials: 'omit', signal };
      const response = await fetch(endpoint, init);
      // Something else that answers here, such as the login page of a network, does not answer in JSON.
      const answer = response.ok || response.status === 400 ? ((await response.json()) as Answer) : {};
      return await this.#settle(entries, response, answer);
    } catch {
      this.#pause(null);
      return false;
    } finally {
      if (keepalive) this.#keepaliveBytes -= bytes;
      entries.forEach(([key]) => this.#underway.delete(key));
    }
  }

  async #settle(entries: readonly Entry[], response: Response, answer: Answer): Promise<boolean> {
    const { status, ok, headers } = response;
    const { queue, drop } = this.#options;
    if (status === 413 && entries.length > 1) {
      // They stay in the queue, and the next requests are smaller.
      const bytes = entries.reduce((sum, [, json]) => sum + byteLength(json), 0);
      this.#chunkBytesMax = Math.min(this.#chunkBytesMax, bytes / 2);
      return true;
    }
    if (!ok && status !== 400 && status !== 413) {
      this.#pause(headers.get('Retry-After'));
      return false;
    }
    this.#failures = 0;
    if (!ok) drop(status === 413 ? 'too-large' : 'rejected', entries, answer.details);
    for (const { index, details } of answer.rejected ?? []) {
      drop('rejected', entries.slice(index, index + 1), details);
    }
    const keys = entries.map(([key]) => key);
    keys.forEach((key) => this.#own.delete(key));
    await queue.remove(keys);
    return true;
  }
}
