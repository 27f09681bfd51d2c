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
/** As the script of RedisStore counts one: that one has not run yet where Redis has just forgotten it. */
const COUNT_SCRIPT = `
if redis.call("PTTL", KEYS[1]) > 0 then return redis.call("INCRBY", KEYS[1], ARGV[1]) end
redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2])
return tonumber(ARGV[1])`;
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
  #gathering = false;
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
      sendCommand: (command, ...args) => {
        this.#gather();
        return this.#redis.call(command, ...args) as Promise<number>;
      },
    });
  }

  /**
   * Sends the commands of one turn of the event loop in one write. The `enableAutoPipelining` of ioredis does that too, and
   * takes twice as long over it: it builds a pipeline around them first.
   */
  #gather(): void {
    const { stream } = this.#redis;
    if (this.#gathering || !stream) return;
    this.#gathering = true;
    stream.cork();
    setImmediate(() => {
      this.#gathering = false;
      stream.uncork();
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

  increment(key: string): Promise<ClientRateLimitInfo> {
    if (this.degraded) return this.#countAlone(key);
    return this.#count(key).catch((error: unknown) => {
      const first = this.#state === 'shared';
      this.#enter('degraded', error);
      if (first) void this.#recover();
      return this.#countAlone(key);
    });
  }

  /** One after the other: MemoryStore gives all of a client the same object, which those of a whole turn would read too late. */
  #countAlone(key: string): Promise<ClientRateLimitInfo> {
    const counted = this.#alone.then(() => this.#local.increment(key)).then((info) => ({ ...info }));
    this.#alone = counted;
    return counted;
  }

  /**
   * Counts the first request that a client has in a turn of the event loop by RedisStore, and the others of that turn by one
   * more command for all of them: each has a number of its own, as if they had been counted one by one.
   */
  #count(key: string): Promise<ClientRateLimitInfo> {
    const turn = this.#turns.get(key);
    if (turn) return turn.countAnother();
    if (this.#turns.size === 0) setImmediate(() => this.#endTurn());
    const first = this.#deadline.bound(this.#shared.increment(key));
    this.#turns.set(key, new Turn(first));
    return first;
  }

  #endTurn(): void {
    for (const [key, turn] of this.#turns)
      turn.end((count) => this.#deadline.bound(this.#countOthers(key, count)));
    this.#turns.clear();
  }

  #countOthers(key: string, count: number): Promise<number> {
    const { windowMs } = this.#options;
    return this.#redis.eval(COUNT_SCRIPT, 1, this.#shared.prefixKey(key), count, windowMs) as Promise<number>;
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
class Turn {
  readonly #first: Promise<ClientRateLimitInfo>;
  #others = 0;
  #counted: Promise<{ totalHits: number; resetTime: Date | undefined }> | undefined;
  #end: (total: Promise<number>) => void = () => undefined;

  constructor(first: Promise<ClientRateLimitInfo>) {
    this.#first = first;
  }

  countAnother(): Promise<ClientRateLimitInfo> {
    const place = (this.#others += 1);
    this.#counted ??= this.#countOthers(new Promise<number>((resolve) => (this.#end = resolve)));
    return this.#counted.then(({ totalHits, resetTime }) => ({
      totalHits: totalHits - this.#others + place,
      resetTime,
    }));
  }

  async #countOthers(total: Promise<number>): Promise<{ totalHits: number; resetTime: Date | undefined }> {
    const [{ resetTime }, totalHits] = await Promise.all([this.#first, total]);
    return { totalHits, resetTime };
  }

  /** No more requests are counted with these; `count` adds a number and resolves to the sum behind it. */
  end(count: (others: number) => Promise<number>): void {
    if (this.#others > 0) this.#end(count(this.#others));
  }
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
