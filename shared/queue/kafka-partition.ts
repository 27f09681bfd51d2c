import { type KafkaMessage } from 'kafkajs';
import { OffsetTracker } from './kafka-offsets.ts';
import { type Message } from './queue.ts';

/** What is fetched of a partition and not handed out; one more fetch may come on top. */
const BUFFER_BYTES_MAX = 1024 * 1024;

export interface Delivery {
  partition: Partition;
  offset: number;
  message: Message;
}

/** One partition from its assignment to this consumer until it is taken away. */
export class Partition {
  readonly id: number;
  /** Most messages that may be handed out beyond the committed offset. */
  readonly #window: number;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #due: Delivery[] = [];
  #offsets: OffsetTracker | undefined;
  #fetched: KafkaMessage[] = [];
  #fetchedBytes = 0;
  /** So many messages may have been in the hands of a former consumer; undefined until that is known. */
  #redelivered: number | undefined;
  #committed = -1;
  /** It is written behind the group's offset that messages are in work. */
  #marked = false;
  #rejoined = false;
  paused = false;

  constructor(id: number, window: number) {
    this.id = id;
    this.#window = window;
  }

  /** Nothing more needs to be fetched for now. */
  get isFull(): boolean {
    return this.#fetchedBytes >= BUFFER_BYTES_MAX;
  }

  /**
   * Takes what was fetched. Returns false where what is in work here says nothing any more: another consumer had the
   * partition in between and has decided over it, or the topic is another one of the same name. Then it begins anew.
   */
  add(messages: KafkaMessage[]): boolean {
    const first = Number(messages[0]?.offset);
    const firstUndecided = this.#offsets?.firstUndecided;
    const decidedElsewhere = this.#rejoined && firstUndecided !== undefined && first > firstUndecided;
    if (decidedElsewhere || first < this.#committed) return false;
    this.#rejoined = false;
    this.#offsets ??= new OffsetTracker(first);
    for (const message of messages) {
      // After a rebalance everything beyond the committed offset is fetched again.
      if (Number(message.offset) < this.#offsets.next) continue;
      this.#fetched.push(message);
      this.#fetchedBytes += message.value?.length ?? 0;
    }
    return true;
  }

  /** The group's generation has changed, and the partition is still this consumer's: what is in work stays so. */
  rejoin(): void {
    this.#rejoined = true;
    if (this.#offsets?.uncommitted === 0) {
      this.#offsets = undefined;
      this.#marked = false;
    }
    this.paused = false;
    this.#fetched = [];
    this.#fetchedBytes = 0;
  }

  /** Its messages are no longer this consumer's: no verdict counts any more. */
  drop(): void {
    this.stopRetrying();
    this.rejoin();
    this.#offsets = undefined;
  }

  get isOpen(): boolean {
    return this.#redelivered !== undefined;
  }

  /** Says how many messages a former consumer may have handed out. */
  open(redelivered: number): void {
    this.#redelivered ??= redelivered;
  }

  /** What there is to hand out now: what is to be retried comes first. */
  take(): Delivery | undefined {
    const again = this.#due.shift();
    if (again) return again;
    if (!this.#marked || !this.#offsets || this.#offsets.uncommitted >= this.#window) return undefined;
    const fetched = this.#fetched.shift();
    if (!fetched) return undefined;
    const body = fetched.value ?? Buffer.alloc(0);
    this.#fetchedBytes -= body.length;
    const offset = Number(fetched.offset);
    this.#offsets.handOut(offset);
    const redelivered = this.#redelivered !== undefined && this.#redelivered-- > 0;
    return { partition: this, offset, message: { body, attempts: redelivered ? 2 : 1, redelivered } };
  }

  decide(offset: number): void {
    this.#offsets?.decide(offset);
  }

  /** It stays undecided until it is handed out again; `wake` is called then. */
  retryLater({ offset, message }: Delivery, delayMs: number, wake: () => void): void {
    if (!this.#offsets) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const again = { ...message, attempts: message.attempts + 1, redelivered: true };
      this.#due.push({ partition: this, offset, message: again });
      wake();
    }, delayMs);
    this.#timers.add(timer);
  }

  stopRetrying(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#due.length = 0;
  }

  /** The offset up to which everything is decided, where the group does not know of it. */
  get committable(): number | undefined {
    if (!this.isOpen || !this.#offsets) return undefined;
    const position = this.#offsets.committable;
    return this.#marked && position === this.#committed ? undefined : position;
  }

  /** The same at the end of this consumer, where nothing that it has handed out is undecided. */
  get cleanPosition(): number | undefined {
    return this.#offsets?.firstUndecided === undefined ? this.#offsets?.committable : undefined;
  }

  committed(position: number): void {
    this.#marked = true;
    this.#committed = position;
    this.#offsets?.committed(position);
  }
}
