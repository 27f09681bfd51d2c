import { once } from 'node:events';
import { type ClientRateLimitInfo, MemoryStore, type Options, type Store } from 'express-rate-limit';
import { Redis } from 'ioredis';
import { RedisStore } from 'rate-limit-redis';
import { type Logger } from '@event-tracker/shared/logger';

/** A request waits no longer than this for Redis; then it is counted in this process. */
const REDIS_TIMEOUT_MS = 150;
const TICK_MS = 25;
/** A Redis that owes answers and sends nothing for this time is given up, with the commands that wait for it. */
const SILENCE_TIMEOUT_MS = 2000;
/** How often a Redis that was away is tried again. */
const RECOVERY_INTERVAL_MS = 500;
/** Counts several as the script of RedisStore counts one: gives their sum behind these, and the ms left of the window. */
const COUNT_SCRIPT = `
local left = redis.call("PTTL", KEYS[1])
if left > 0 then return { redis.call("INCRBY", KEYS[1], ARGV[1]), left } end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return { tonumber(ARGV[1]), tonumber(ARGV[2]) }`;
/** At start, Redis gets this long to answer before this process counts alone. */
const START_TIMEOUT_MS = 2000;

/**
 * Counts in Redis, exactly and for all API processes together. While Redis is away or hangs, this process counts by
 * itself, so that no request is refused, let through uncounted or kept waiting because of it.
 */
export class RedisRateLimitStore implements Store {
  readonly prefix = 'rate-limit:';
  readonly #redis: Redis;
  readonly #shared: RedisStore;
  readonly #local = new MemoryStore();
  readonly #deadline = new Deadline();
  readonly #options: Options;
  readonly #logger: Logger;
  readonly #turns = new Map<string, Turn>();
  #alone: Promise<unknown> = Promise.resolve();
  #state: 'starting' | 'shared' | 'degraded' | 'closed' = 'starting';

  constructor(url: string, windowMs: number, logger: Logger) {
    this.#options = { windowMs } as Options; // Neither store reads anything else of the options.
    this.#logger = logger;
    this.#local.init(this.#options);
    this.#redis = new Redis(url, {
      socketTimeout: SILENCE_TIMEOUT_MS,
      connectTimeout: START_TIMEOUT_MS,
      // With these two a command fails at once while there is no connection, where the defaults would queue it.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => RECOVERY_INTERVAL_MS,
    });
    // Every change of state is logged below; without a listener ioredis would print each failed attempt itself.
    this.#redis.on('error', () => undefined);
    this.#shared = new RedisStore({
      prefix: this.prefix,
      sendCommand: (command, ...args) => this.#redis.call(command, ...args) as Promise<number>,
    });
  }

  /** True while requests are counted in this process alone. */
  get degraded(): boolean {
    return this.#state !== 'shared';
  }

  /** Rejects while requests are counted in this process alone. */
  ping(): Promise<void> {
    return this.degraded ? Promise.reject(new Error('Redis does not answer')) : Promise.resolve();
  }

  /** Counts in Redis as soon as it answers; resolves when it does or when it is clear that it does not. */
  async start(): Promise<void> {
    await once(this.#redis, 'ready', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).catch(
      () => undefined,
    );
    await this.#load();
    void this.#recover();
  }

  /**
   * Counts all requests that a client has in one turn of the event loop by one command. Each has a number of its own, as if
   * they had been counted one by one.
   */
  increment(key: string): Promise<ClientRateLimitInfo> {
    if (this.degraded) return this.#countAlone(key);
    const turn = this.#turns.get(key) ?? this.#beginTurn(key);
    const place = (turn.requests += 1);
    return turn.counted.then(
      ({ totalHits, resetTime }) => ({ totalHits: totalHits - turn.requests + place, resetTime }),
      (error: unknown) => {
        const first = this.#state === 'shared';
        this.#enter('degraded', error);
        if (first) void this.#recover();
        return this.#countAlone(key);
      },
    );
  }

  /** One after the other: MemoryStore gives all of a client the same object, which those of a whole turn would read too late. */
  #countAlone(key: string): Promise<ClientRateLimitInfo> {
    const counted = this.#alone.then(() => this.#local.increment(key)).then((info) => ({ ...info }));
    this.#alone = counted;
    return counted;
  }

  #beginTurn(key: string): Turn {
    if (this.#turns.size === 0) {
      setImmediate(() => this.#countTurns());
      // RedisStore sends its commands some promises later; those are done before this is run.
      setImmediate(() => this.#redis.stream?.uncork());
    }
    const turn = { requests: 0 } as Turn;
    turn.counted = new Promise((resolve) => (turn.end = resolve));
    this.#turns.set(key, turn);
    return turn;
  }

  /**
   * Counts what has gathered, in one write. The `enableAutoPipelining` of ioredis does that too, and takes twice as long over
   * it: it builds a pipeline around the commands first.
   */
  #countTurns(): void {
    this.#redis.stream?.cork();
    for (const [key, { requests, end }] of this.#turns)
      end(
        this.#deadline.bound(
          requests === 1 ? this.#shared.increment(key) : this.#countSeveral(key, requests),
        ),
      );
    this.#turns.clear();
  }

  async #countSeveral(key: string, count: number): Promise<ClientRateLimitInfo> {
    const { windowMs } = this.#options;
    const counting = this.#redis.eval(COUNT_SCRIPT, 1, this.#shared.prefixKey(key), count, windowMs);
    const [totalHits, leftMs] = (await counting) as [number, number];
    return { totalHits, resetTime: new Date(Date.now() + leftMs) };
  }

  async decrement(key: string): Promise<void> {
    await (this.degraded ? this.#local : this.#shared).decrement(key);
  }

  async resetKey(key: string): Promise<void> {
    await (this.degraded ? this.#local : this.#shared).resetKey(key);
  }

  shutdown(): void {
    this.#state = 'closed';
    this.#local.shutdown();
    this.#redis.disconnect();
  }

  /**
   * Loads the store's scripts again, because RedisStore keeps a failed load for good; a load that works is also the
   * proof that Redis answers.
   */
  async #load(): Promise<void> {
    try {
      await this.#shared.init(this.#options);
      this.#enter('shared');
    } catch (error) {
      this.#enter('degraded', error);
    }
  }

  /** Tries until Redis answers; requests are counted in this process meanwhile. */
  async #recover(): Promise<void> {
    while (this.#state === 'degraded') {
      await new Promise((resolve) => setTimeout(resolve, RECOVERY_INTERVAL_MS).unref());
      await this.#load();
    }
  }

  #enter(state: 'shared' | 'degraded', error?: unknown): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    if (state === 'shared')
      this.#logger.info('requests are limited in Redis, together with the other API processes');
    else this.#logger.warn({ err: error }, 'Redis does not answer: this process limits on its own');
  }
}

/** The requests of one client in one turn of the event loop. */
interface Turn {
  requests: number;
  /** How many requests there are with the last of these. */
  counted: Promise<ClientRateLimitInfo>;
  end: (counted: Promise<ClientRateLimitInfo>) => void;
}

interface Bounded {
  ticksLeft: number;
  tooLate: () => void;
}

/**
 * Bounds how long requests wait for Redis; ioredis bounds only the silence of the whole connection. The time is taken in
 * ticks, of which a stall of this process costs one, so that its own slowness is not taken for Redis being away; and one
 * timer does for all requests, because a timer for each costs more than counting it.
 */
class Deadline {
  readonly #waiting = new Set<Bounded>();
  #timer: NodeJS.Timeout | undefined;

  /** Passes the answer on, or rejects after `REDIS_TIMEOUT_MS`. */
  bound<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const bounded = {
        ticksLeft: REDIS_TIMEOUT_MS / TICK_MS,
        tooLate: () => reject(new Error(`no answer within ${REDIS_TIMEOUT_MS} ms`)),
      };
      this.#waiting.add(bounded);
      this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
      answer.then(
        (value) => {
          this.#waiting.delete(bounded);
          resolve(value);
        },
        (error: Error) => {
          this.#waiting.delete(bounded);
          reject(error);
        },
      );
    });
  }

  #tick(): void {
    for (const bounded of this.#waiting) {
      if (--bounded.ticksLeft > 0) continue;
      this.#waiting.delete(bounded);
      bounded.tooLate();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** A store that counts in Redis from the first request on, or in this process until Redis is there. */
export async function openRateLimitStore(
  url: string,
  windowMs: number,
  logger: Logger,
): Promise<RedisRateLimitStore> {
  const store = new RedisRateLimitStore(url, windowMs, logger);
  await store.start();
  return store;
}
