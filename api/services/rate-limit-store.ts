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
/**
 * Counts the requests of several clients as the script of RedisStore counts one: KEYS are the clients, ARGV the window in ms
 * and how many requests each has. Gives for each their sum behind these, and the ms left of its window.
 */
const COUNT_SCRIPT = `
local counted = {}
for at, key in ipairs(KEYS) do
  local count = ARGV[at + 1]
  local left = redis.call("PTTL", key)
  if left > 0 then
    counted[2 * at - 1] = redis.call("INCRBY", key, count)
    counted[2 * at] = left
  else
    redis.call("SET", key, count, "PX", ARGV[1])
    counted[2 * at - 1] = tonumber(count)
    counted[2 * at] = tonumber(ARGV[1])
  end
end
return counted`;
/** One command counts at most so many clients: for 1 to 2 ms Redis does nothing else. */
const CLIENTS_MAX = 1000;
/** At start, Redis gets this long to answer before this process counts alone. */
const START_TIMEOUT_MS = 2000;

/**
 * Counts in Redis, exactly and for all API processes together. While Redis is away or hangs, this process counts by
 * itself, so that no request is refused, let through uncounted or kept waiting because of it.
 */
export class RedisRateLimitStore implements Store {
  /** What stands in braces keeps all clients in one slot of a cluster: one command counts several of them. */
  readonly prefix = '{rate-limit}:';
  readonly #redis: Redis;
  readonly #shared: RedisStore;
  readonly #local = new MemoryStore();
  readonly #deadline = new Deadline();
  readonly #options: Options;
  readonly #logger: Logger;
  #turn: Turn | undefined;
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
   * Counts the requests of one turn of the event loop by one command. Each has a number of its own, as if they had been
   * counted one by one.
   */
  increment(key: string): Promise<ClientRateLimitInfo> {
    if (this.degraded) return this.#countAlone(key);
    if (this.#turn?.requests.size === CLIENTS_MAX) this.#turn = undefined;
    const { requests, counted } = (this.#turn ??= this.#beginTurn());
    const place = (requests.get(key) ?? 0) + 1;
    requests.set(key, place);
    return counted.then(
      (clients) => {
        const { totalHits, resetTime } = clients.get(key)!;
        return { totalHits: totalHits - requests.get(key)! + place, resetTime };
      },
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

  #beginTurn(): Turn {
    const requests = new Map<string, number>();
    const counted = new Promise<Clients>((resolve) =>
      setImmediate(() => {
        this.#turn = undefined;
        const [key, count] = [...requests][0]!;
        const isOne = requests.size === 1 && count === 1;
        resolve(this.#deadline.bound(isOne ? this.#countOne(key) : this.#countSeveral(requests)));
      }),
    );
    return { requests, counted };
  }

  async #countOne(key: string): Promise<Clients> {
    return new Map([[key, await this.#shared.increment(key)]]);
  }

  async #countSeveral(requests: Map<string, number>): Promise<Clients> {
    const { windowMs } = this.#options;
    const keys = [...requests.keys()];
    const names = keys.map((key) => this.#shared.prefixKey(key));
    const counting = this.#redis.eval(COUNT_SCRIPT, keys.length, ...names, windowMs, ...requests.values());
    const counted = (await counting) as number[];
    const now = Date.now();
    return new Map(
      keys.map((key, index) => {
        const [totalHits, leftMs] = [counted[2 * index]!, counted[2 * index + 1]!];
        return [key, { totalHits, resetTime: new Date(now + leftMs) }];
      }),
    );
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

/** How many requests each client has had, and when its window ends. */
type Clients = Map<string, ClientRateLimitInfo>;

/** The requests of one turn of the event loop. */
interface Turn {
  /** By client. */
  requests: Map<string, number>;
  counted: Promise<Clients>;
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
