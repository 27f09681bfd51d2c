import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { type Collection } from 'mongodb';
import { createId } from '../id.ts';
import { type Logger } from '../logger.ts';
import { type ConsumeOptions, type Consumer, type MessageHandler, type Verdict } from './queue.ts';

export interface StoredMessage {
  _id: string;
  body: Buffer;
  /** Milliseconds of the epoch from which on the message may be leased; 0 as long as it never was. */
  visibleAt: number;
  /** How often the message was leased. */
  attempts: number;
  /** The consumer that holds the message, or that held it last. */
  lease?: string;
}

/** What the consumer needs of its queue. */
export interface Leasing {
  messages: Collection<StoredMessage>;
  /** A worker that is killed holds its messages back for this time. */
  leaseMs: number;
  /** Bounds one operation on the messages. */
  bound: <T>(operation: Promise<T>) => Promise<T>;
}

/** Bounds the memory of one claim, and how long settling and renewing wait for it. */
const CLAIM_MAX = 256;
const POLL_MIN_MS = 20;
const POLL_MAX_MS = 100;
const ERROR_PAUSE_MIN_MS = 100;
const ERROR_PAUSE_MAX_MS = 2_000;

/**
 * Leases messages and settles them, one operation after the other in a single loop. A message stays `held`, and its
 * lease is renewed, until the database has its verdict: an outage, however long, delivers nothing twice unless
 * another consumer takes the message over after the lease ran out.
 */
export class MongodbConsumer implements Consumer {
  readonly #messages: Collection<StoredMessage>;
  readonly #leaseMs: number;
  readonly #bound: Leasing['bound'];
  readonly #handle: MessageHandler;
  readonly #options: ConsumeOptions;
  readonly #logger: Logger;
  readonly #lease = createId();
  readonly #held = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #loop: Promise<void>;
  readonly #decided = new Map<string, Verdict>();
  #renewedAt = 0;
  #failing = false;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(leasing: Leasing, handle: MessageHandler, options: ConsumeOptions, logger: Logger) {
    this.#messages = leasing.messages;
    this.#leaseMs = leasing.leaseMs;
    this.#bound = leasing.bound;
    this.#handle = handle;
    this.#options = options;
    this.#logger = logger;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    let idleMs = POLL_MIN_MS;
    let errorMs = ERROR_PAUSE_MIN_MS;
    while (!this.#stopped || this.#running.size > 0 || this.#decided.size > 0) {
      try {
        await this.#renew();
        await this.#settle();
        const claimed = await this.#claim();
        if (this.#failing) this.#logger.info('MongoDB queue answers again');
        this.#failing = false;
        errorMs = ERROR_PAUSE_MIN_MS;
        idleMs = claimed > 0 ? POLL_MIN_MS : Math.min(idleMs * 1.1, POLL_MAX_MS);
        if (claimed === 0 && this.#decided.size === 0) await this.#pause(idleMs);
        // Verdicts of one turn of the event loop are settled together.
        await nextTurn();
      } catch (error) {
        // Nothing can be settled now: when the leases run out, the messages are delivered again.
        if (this.#stopped && this.#running.size === 0) return;
        if (!this.#failing) this.#logger.warn({ reason: (error as Error).message }, 'MongoDB queue failed');
        this.#failing = true;
        await this.#pause(errorMs * (0.5 + Math.random() / 2));
        errorMs = Math.min(errorMs * 2, ERROR_PAUSE_MAX_MS);
      }
    }
  }

  async #pause(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #renew(): Promise<void> {
    const now = Date.now();
    if (now - this.#renewedAt < this.#leaseMs / 3) return;
    if (this.#held.size > 0) {
      const held = this.#own([...this.#held]);
      const renewal = { $set: { visibleAt: now + this.#leaseMs } };
      await this.#bound(this.#messages.updateMany(held, renewal));
    }
    this.#renewedAt = now;
  }

  /** Of some messages those that this consumer still leases: another one may have taken them over. */
  #own(ids: string[]) {
    return { _id: { $in: ids }, lease: this.#lease };
  }

  async #settle(): Promise<void> {
    const ids = (retried: boolean) =>
      [...this.#decided].flatMap(([id, verdict]) => ((verdict === 'retry') === retried ? [id] : []));
    const [done, retried] = [ids(false), ids(true)];
    const forget = (id: string) => this.#decided.delete(id) && this.#held.delete(id);
    if (done.length > 0) {
      await this.#bound(this.#messages.deleteMany(this.#own(done)));
      done.forEach(forget);
    }
    if (retried.length > 0) {
      const visibleAt = Date.now() + this.#options.retryDelayMs;
      const release = { $set: { visibleAt }, $unset: { lease: 1 } } as const;
      await this.#bound(this.#messages.updateMany(this.#own(retried), release));
      retried.forEach(forget);
    }
  }

  /** Leases what is ready, hands it out, and resolves to how much that was. */
  async #claim(): Promise<number> {
    const free = Math.min(this.#options.prefetch - this.#held.size, CLAIM_MAX);
    if (this.#stopped || free <= 0) return 0;
    const now = Date.now();
    // A single batch ends at 16 MiB: messages of that size are claimed one by one, not by the hundred.
    const within16MiB = { promoteBuffers: true, singleBatch: true, batchSize: free };
    // Retried messages come before fresh ones, or a long queue would hold them back for ever.
    const ready = await this.#bound(
      this.#messages
        .find({ visibleAt: { $lte: now } }, within16MiB)
        .sort({ visibleAt: -1, _id: 1 })
        .limit(free)
        .toArray(),
    );
    // What is held here and ran out in an outage is renewed, not handed out again.
    const wanted = ready.filter(({ _id }) => !this.#held.has(_id));
    if (wanted.length === 0) return 0;
    const unleased = { _id: { $in: wanted.map(({ _id }) => _id) }, visibleAt: { $lte: now } };
    // `$inc` refuses what is no number, and one such document of somebody else would end every claim.
    const earlier = { $cond: [{ $isNumber: '$attempts' }, '$attempts', 0] };
    const attempts = { $add: [earlier, 1] };
    const lease = [{ $set: { visibleAt: now + this.#leaseMs, lease: this.#lease, attempts } }];
    const { modifiedCount } = await this.#bound(this.#messages.updateMany(unleased, lease));
    const leased = modifiedCount === wanted.length ? wanted : await this.#leasedOf(wanted);
    if (this.#stopped) await this.#release(leased);
    else for (const message of leased) this.#handOut(message);
    return leased.length;
  }

  /** The messages that no other consumer was quicker to lease. */
  async #leasedOf(wanted: StoredMessage[]): Promise<StoredMessage[]> {
    const own = this.#own(wanted.map(({ _id }) => _id));
    const ids = new Set(await this.#bound(this.#messages.distinct('_id', own)));
    return wanted.filter(({ _id }) => ids.has(_id));
  }

  async #release(messages: StoredMessage[]): Promise<void> {
    const own = this.#own(messages.map(({ _id }) => _id));
    const release = { $set: { visibleAt: 0 }, $unset: { lease: 1 }, $inc: { attempts: -1 } } as const;
    await this.#bound(this.#messages.updateMany(own, release));
  }

  #handOut(message: StoredMessage): void {
    this.#held.add(message._id);
    const running = this.#decide(message).then((verdict) => {
      this.#running.delete(running);
      this.#decided.set(message._id, verdict);
      if (!this.#failing) this.#wake();
    });
    this.#running.add(running);
  }

  async #decide(message: StoredMessage): Promise<Verdict> {
    const attempts = Number.isSafeInteger(message.attempts) ? message.attempts : 0;
    const body = bytesOf(message.body);
    try {
      return await this.#handle({ body, attempts: attempts + 1, redelivered: attempts > 0 });
    } catch (error) {
      this.#logger.error({ err: error }, 'message handler failed; the message is retried');
      return 'retry';
    }
  }
}

/** Anyone may have put the message there: a body that is no bytes becomes some that can be decided over and kept. */
function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : inspect(body));
}
