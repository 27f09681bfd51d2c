import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { type Consumer as KafkaJsConsumer, type EachBatchPayload, type Kafka } from 'kafkajs';
import { type Logger } from '../logger.ts';
import { Partition, type Delivery } from './kafka-partition.ts';
import { type ConsumeOptions, type Consumer, type MessageHandler, type Verdict } from './queue.ts';
import { within } from './within.ts';

/** A worker that is killed holds its partitions back for this time. */
const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 1_000;
/** Members are waited for so long when the group's members change. None is held up by its messages. */
const REBALANCE_TIMEOUT_MS = 10_000;
/** A fetch waits so long for messages; a partition that was paused is fetched from again after it. */
const FETCH_WAIT_MS = 100;
const STOP_TIMEOUT_MS = 2_000;
const FIRST_JOIN_TIMEOUT_MS = 5_000;
const RESTART_PAUSE_MIN_MS = 200;
const RESTART_PAUSE_MAX_MS = 5_000;
const COMMIT_RETRY_MS = 500;

/** What the consumer needs of its queue. */
export interface KafkaGroup {
  kafka: Kafka;
  topic: string;
  groupId: string;
  /** What was written behind the group's offsets by whoever committed last, for each partition. */
  readMarks(): Promise<Map<number, string>>;
}

/**
 * Consumes as a member of a group. Messages are handed out of every assigned partition in turn, and nothing waits for
 * a verdict but the offset: heartbeats and other partitions go on for as long as a handler takes. Behind every offset
 * that it commits it writes how many messages it may have handed out beyond; a consumer that stops in order erases
 * that, and whoever finds it knows that a former consumer may have had the next ones in work.
 *
 * A message to be retried stays undecided and is handed out again here. The messages behind it go on, up to `prefetch`
 * of them; then its partition waits for it, and no other one does.
 */
export class KafkaConsumer implements Consumer {
  readonly #group: KafkaGroup;
  readonly #handle: MessageHandler;
  readonly #options: ConsumeOptions;
  readonly #logger: Logger;
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  #partitions: Partition[] = [];
  #marks = Promise.resolve(new Map<number, string>());
  #consumer: KafkaJsConsumer | undefined;
  #committing: Promise<void> | undefined;
  #stopped = false;
  #failing = false;
  #joined: () => void = () => undefined;
  readonly #firstJoin = new Promise<void>((resolve) => (this.#joined = resolve));

  constructor(group: KafkaGroup, handle: MessageHandler, options: ConsumeOptions, logger: Logger) {
    this.#group = group;
    this.#handle = handle;
    this.#options = options;
    this.#logger = logger;
    this.#loop = this.#run();
  }

  /** Those that are this consumer's now. */
  get partitionIds(): number[] {
    return this.#partitions.map(({ id }) => id);
  }

  /** Resolves when the group has been joined, or when that takes too long and goes on by itself. */
  async started(): Promise<void> {
    await within(FIRST_JOIN_TIMEOUT_MS, this.#firstJoin).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#consumer?.pause([{ topic: this.#group.topic }]);
    for (const partition of this.#partitions) partition.stopRetrying();
    await Promise.all(this.#running);
    // A broker that is away hands out again what it could not be told of.
    await within(STOP_TIMEOUT_MS, this.#commitLast()).catch(() => undefined);
    await this.abandon();
  }

  /** Ends without waiting for verdicts: none counts any more. */
  async abandon(): Promise<void> {
    this.#stopped = true;
    this.#assign([]);
    this.#ending.abort();
    await within(STOP_TIMEOUT_MS, this.#loop).catch(() => undefined);
  }

  /** kafkajs gives up on some errors, and on others after some attempts. Then a new member takes its place. */
  async #run(): Promise<void> {
    let pauseMs = RESTART_PAUSE_MIN_MS;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const joinedBefore = Date.now();
      const reason = await this.#runOnce();
      if (signal.aborted) return;
      if (!this.#failing) this.#logger.warn({ reason }, 'Kafka consumer failed; starting again');
      this.#failing = true;
      if (Date.now() - joinedBefore > RESTART_PAUSE_MAX_MS) pauseMs = RESTART_PAUSE_MIN_MS;
      await delay(pauseMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MAX_MS);
    }
  }

  /** Resolves to the reason for which the member has ended. */
  async #runOnce(): Promise<string> {
    const { kafka, topic, groupId } = this.#group;
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      // The loop above starts it again, and can be ended at any time; kafkajs's own timer cannot.
      retry: { restartOnFailure: () => Promise.resolve(false) },
    });
    let end: (reason: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => (end = resolve));
    const stopped = () => end('stopped');
    this.#ending.signal.addEventListener('abort', stopped);
    consumer.on(consumer.events.CRASH, ({ payload }) => end(payload.error.message));
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.#consumer = consumer;
      this.#assign(payload.memberAssignment[topic] ?? []);
      this.#logger.info({ topic, partitions: payload.memberAssignment[topic] }, 'Kafka group joined');
      this.#failing = false;
      this.#joined();
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: 1,
        eachBatch: (payload) => this.#receive(payload),
      });
      return await ended;
    } catch (error) {
      return (error as Error).message;
    } finally {
      this.#ending.signal.removeEventListener('abort', stopped);
      this.#consumer = undefined;
      // The next member finds out anew what it is to do; what is in work is delivered again.
      this.#assign([]);
      await consumer.disconnect().catch(() => undefined);
    }
  }

  /** The partitions of a new generation of the group: those that stay keep what is in work. */
  #assign(ids: readonly number[]): void {
    const before = new Map(this.#partitions.map((partition) => [partition.id, partition]));
    this.#partitions = (this.#ending.signal.aborted ? [] : ids).map((id) => {
      const kept = before.get(id);
      before.delete(id);
      kept?.rejoin();
      return kept ?? new Partition(id, this.#options.prefetch);
    });
    for (const lost of before.values()) lost.drop();
    if (this.#partitions.length === 0) return;
    this.#consumer?.resume([{ topic: this.#group.topic }]);
    this.#marks = this.#readMarks(this.#consumer);
  }

  async #readMarks(consumer: KafkaJsConsumer | undefined): Promise<Map<number, string>> {
    for (;;) {
      try {
        return await this.#group.readMarks();
      } catch (error) {
        if (this.#consumer !== consumer) return new Map();
        this.#logger.debug(
          { reason: (error as Error).message },
          'Kafka offsets cannot be read; trying again',
        );
        await delay(COMMIT_RETRY_MS);
      }
    }
  }

  /** Takes what was fetched; fetching goes on without waiting for any verdict. */
  #receive({ batch }: EachBatchPayload): Promise<void> {
    const index = this.#partitions.findIndex(({ id }) => id === batch.partition);
    let partition = this.#partitions[index];
    if (!partition || this.#stopped) return Promise.resolve();
    if (!partition.add(batch.messages)) {
      partition.drop();
      partition = new Partition(batch.partition, this.#options.prefetch);
      this.#partitions[index] = partition;
      partition.add(batch.messages);
    }
    if (partition.isFull) this.#pause(partition, true);
    if (partition.isOpen) this.#commitSoon();
    else void this.#open(partition);
    return Promise.resolve();
  }

  /** Nothing is handed out before a commit has left word of it, and none is made before the former one was read. */
  async #open(partition: Partition): Promise<void> {
    partition.open(Number((await this.#marks).get(partition.id)) || 0);
    this.#commitSoon();
  }

  #pause(partition: Partition, paused: boolean): void {
    if (partition.paused === paused) return;
    partition.paused = paused;
    const partitions = [{ topic: this.#group.topic, partitions: [partition.id] }];
    if (paused) this.#consumer?.pause(partitions);
    else this.#consumer?.resume(partitions);
  }

  #handOut(): void {
    for (let idle = 0; !this.#stopped && idle < this.#partitions.length;) {
      if (this.#running.size >= this.#options.prefetch) break;
      // Each partition in its turn, so that a long one does not hold up the others.
      const partition = this.#partitions.shift()!;
      this.#partitions.push(partition);
      const delivery = partition.take();
      if (delivery) this.#begin(delivery);
      idle = delivery ? 0 : idle + 1;
    }
    for (const partition of this.#partitions) if (!partition.isFull) this.#pause(partition, false);
  }

  #begin(delivery: Delivery): void {
    const running = this.#decide(delivery).then((verdict) => {
      this.#running.delete(running);
      const { partition, offset } = delivery;
      if (verdict !== 'retry') partition.decide(offset);
      else if (!this.#stopped)
        partition.retryLater(delivery, this.#options.retryDelayMs, () => this.#handOut());
      this.#commitSoon();
    });
    this.#running.add(running);
  }

  async #decide({ message }: Delivery): Promise<Verdict> {
    try {
      return await this.#handle(message);
    } catch (error) {
      this.#logger.error({ err: error }, 'message handler failed; the message is retried');
      return 'retry';
    }
  }

  /** Commits what the verdicts of this turn allow, one commit after the other, until there is nothing to tell. */
  #commitSoon(): void {
    this.#committing ??= this.#commit();
  }

  async #commit(): Promise<void> {
    for (;;) {
      await nextTurn();
      this.#handOut();
      const due = this.#partitions.flatMap((partition) => {
        const position = partition.committable;
        return position === undefined ? [] : [{ partition, position, mark: String(this.#options.prefetch) }];
      });
      if (due.length === 0 || this.#ending.signal.aborted) {
        // Before anybody else's turn, or a verdict of that would find a loop that has ended.
        this.#committing = undefined;
        return;
      }
      if (!(await this.#commitAll(due))) await delay(COMMIT_RETRY_MS);
    }
  }

  async #commitLast(): Promise<void> {
    await this.#committing;
    const last = this.#partitions.flatMap((partition) => {
      const position = partition.cleanPosition;
      return position === undefined ? [] : [{ partition, position, mark: '' }];
    });
    if (last.length > 0) await this.#commitAll(last);
  }

  async #commitAll(commits: { partition: Partition; position: number; mark: string }[]): Promise<boolean> {
    try {
      if (!this.#consumer) return false;
      await this.#consumer.commitOffsets(
        commits.map(({ partition, position, mark }) => ({
          topic: this.#group.topic,
          partition: partition.id,
          offset: String(position),
          metadata: mark,
        })),
      );
      for (const { partition, position } of commits) partition.committed(position);
      return true;
    } catch (error) {
      this.#logger.debug(
        { reason: (error as Error).message },
        'Kafka offsets cannot be committed; trying again',
      );
      return false;
    }
  }
}
