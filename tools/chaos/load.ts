import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, type Random } from '../random.ts';

/** `ok`: a 202. `fail`: the last answer was an error. `unknown`: an attempt had no answer and none had a 202. */
export type Outcome = 'ok' | 'fail' | 'unknown';

export interface LoadOptions {
  urls: readonly string[];
  rate: number;
  seed: number;
  /** Size of the payload's text, which cannot be compressed. */
  payloadChars?: number;
}

/** What the clients saw, an entry an event; an event that is still being sent is `unknown`. */
export interface Load {
  readonly ledger: ReadonlyMap<string, Outcome>;
  /** Attempts that were answered with an error, and that had no answer. */
  readonly refused: number;
  readonly unanswered: number;
  /** 202s so far. */
  accepted(): number;
  /** Longest time between two 202s that follow each other, from the first one until nothing new was sent. */
  longestGapMs(): number;
  /** Time from a moment of `performance.now()` to the next 202; undefined when there was none. */
  nextAcceptedMs(since: number): number | undefined;
  /** Sends nothing new; resolves when every request has its outcome. */
  stop(): Promise<void>;
}

/** A client gives up an attempt after this time and does not know what became of it. */
const ANSWER_TIMEOUT_MS = 3000;
/** Waits before each attempt. The first retry goes to the other API process at once. */
const ATTEMPT_DELAYS_MS = [0, 0, 250, 1000];
const IN_FLIGHT_MAX = 256;
const TICK_MS = 5;
/** Share of requests that carry several events. */
const BATCH_SHARE = 0.1;
/** Share of requests that are sent again although they had their 202, as by a client that lost the answer. */
const REPEAT_SHARE = 0.02;

/** Starts sending, at an even rate, singles and batches whose every id is the client's. */
export function startLoad({ urls, rate, seed, payloadChars = 40 }: LoadOptions): Load {
  const random = createRandom(seed);
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT_MAX });
  const ledger = new Map<string, Outcome>();
  const inFlight = new Set<Promise<void>>();
  const seen: Attempts = { acceptedAt: [], refused: 0, unanswered: 0 };
  const { acceptedAt } = seen;
  const attempts = (first: number, path: string, body: Buffer) =>
    attemptAll(
      agent,
      [...urls.slice(first), ...urls.slice(0, first)].map((url) => url + path),
      body,
      seen,
    );
  let stoppedAt: number | undefined;

  async function send(count: number, isBatch: boolean): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `${seed}-${ledger.size + index}`);
    for (const id of ids) ledger.set(id, 'unknown');
    const events = ids.map((id) => makeEvent(id, random, payloadChars));
    const body = Buffer.from(JSON.stringify(isBatch ? { events } : events[0]));
    const path = isBatch ? '/batch' : '';
    const first = random.integer(0, urls.length - 1);
    const isRepeated = random.chance(REPEAT_SHARE);
    const outcome = await attempts(first, path, body);
    for (const id of ids) ledger.set(id, outcome);
    if (isRepeated && outcome === 'ok') await attempts(first, path, body);
  }

  /** Sends one request; its number of events. */
  function sendNext(): number {
    if (inFlight.size >= IN_FLIGHT_MAX) return 0;
    const isBatch = random.chance(BATCH_SHARE);
    const count = isBatch ? random.integer(2, 20) : 1;
    const sending: Promise<void> = send(count, isBatch).finally(() => inFlight.delete(sending));
    inFlight.add(sending);
    return count;
  }

  const running = keepRate(rate, sendNext, () => stoppedAt !== undefined);
  return {
    ledger,
    get refused() {
      return seen.refused;
    },
    get unanswered() {
      return seen.unanswered;
    },
    accepted: () => acceptedAt.length,
    longestGapMs: () => longestGap(acceptedAt, stoppedAt ?? performance.now()),
    nextAcceptedMs(since) {
      const next = acceptedAt.find((at) => at >= since);
      return next === undefined ? undefined : next - since;
    },
    async stop() {
      stoppedAt ??= performance.now();
      await running;
      await Promise.all(inFlight);
      agent.destroy();
    },
  };
}

/** Calls `sendNext` so often that so many events go out in a second. */
async function keepRate(rate: number, sendNext: () => number, isStopped: () => boolean): Promise<void> {
  let credit = 0;
  for (let last = performance.now(); !isStopped(); await delay(TICK_MS)) {
    const now = performance.now();
    // A client that was held up does not make up for it with a flood.
    credit = Math.min(credit + ((now - last) / 1000) * rate, rate / 4 + 20);
    last = now;
    for (let sent = 1; credit >= 1 && sent > 0; credit -= sent) sent = sendNext();
  }
}

/** What came of all attempts together. */
interface Attempts {
  acceptedAt: number[];
  refused: number;
  unanswered: number;
}

/** Sends a request until it has its 202 or the client has had enough, each time to the next of the urls. */
async function attemptAll(agent: Agent, urls: string[], body: Buffer, seen: Attempts): Promise<Outcome> {
  let outcome: Outcome = 'fail';
  for (const [attempt, delayMs] of ATTEMPT_DELAYS_MS.entries()) {
    if (delayMs > 0) await delay(delayMs);
    const status = await post(agent, urls[attempt % urls.length] ?? '', body);
    if (status === 202) {
      seen.acceptedAt.push(performance.now());
      return 'ok';
    }
    if (status === undefined) {
      seen.unanswered += 1;
      outcome = 'unknown';
    } else {
      seen.refused += 1;
      if (status !== 503) break;
    }
  }
  return outcome;
}

function longestGap(acceptedAt: readonly number[], stoppedAt: number): number {
  let longest = 0;
  let last = acceptedAt[0];
  if (last === undefined) return Infinity;
  for (const at of [...acceptedAt.filter((time) => time <= stoppedAt), stoppedAt]) {
    longest = Math.max(longest, at - last);
    last = at;
  }
  return longest;
}

function makeEvent(eventId: string, random: Random, payloadChars: number) {
  let text = '';
  while (text.length < payloadChars) text += random.next().toString(36).slice(2);
  return {
    eventId,
    userId: `user-${random.zipf(500)}`,
    eventType: random.pick(['page_view', 'click', 'purchase']),
    timestamp: new Date(Date.UTC(2026, 0, 1) + random.integer(0, 86_400_000)).toISOString(),
    payload: { text: text.slice(0, payloadChars) },
  };
}

/** The status of the answer; undefined without one. */
function post(agent: Agent, url: string, body: Buffer): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const request = httpRequest(url, { method: 'POST', agent, headers }, (response) => {
      // An answer that breaks off has no end, and is none.
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(response.statusCode));
      response.resume();
    });
    const timer = setTimeout(() => request.destroy(), ANSWER_TIMEOUT_MS);
    request.on('error', () => resolve(undefined));
    request.on('close', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    request.end(body);
  });
}
