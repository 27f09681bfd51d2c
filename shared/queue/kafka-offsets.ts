/**
 * Which messages of one partition are decided over. Kafka knows one offset a partition and group, so only what lies
 * below every undecided message may be committed. Verdicts may come in any order.
 */
export class OffsetTracker {
  /** The offsets that were handed out and not committed, in their order; true once decided. */
  readonly #handedOut = new Map<number, boolean>();
  #next: number;

  /** `position`: the offset that the group has committed, or that it begins with. */
  constructor(position: number) {
    this.#next = position;
  }

  /** The lowest offset that was not handed out. */
  get next(): number {
    return this.#next;
  }

  /** Messages that were handed out and are not committed: what a crash delivers again. */
  get uncommitted(): number {
    return this.#handedOut.size;
  }

  /** The offset of the first undecided message. */
  get firstUndecided(): number | undefined {
    for (const [offset, decided] of this.#handedOut) if (!decided) return offset;
    return undefined;
  }

  /** Everything below it is decided. */
  get committable(): number {
    return this.firstUndecided ?? this.#next;
  }

  handOut(offset: number): void {
    this.#handedOut.set(offset, false);
    this.#next = offset + 1;
  }

  decide(offset: number): void {
    if (this.#handedOut.has(offset)) this.#handedOut.set(offset, true);
  }

  committed(position: number): void {
    for (const offset of this.#handedOut.keys()) {
      if (offset >= position) return;
      this.#handedOut.delete(offset);
    }
  }
}
