/** What RabbitMQ confirms in the moment in which it deletes a queue is a few milliseconds' worth; these are more. */
const MESSAGES_MAX = 1000;
const BYTES_MAX = 4 * 1024 * 1024;

/** The messages that were confirmed last. */
export class RecentMessages {
  #bodies: Buffer[] = [];
  #bytes = 0;

  add(body: Buffer): void {
    this.#bodies.push(body);
    this.#bytes += body.length;
    while (this.#bodies.length > MESSAGES_MAX || this.#bytes > BYTES_MAX)
      this.#bytes -= this.#bodies.shift()!.length;
  }

  /** All of them, in the order of their confirmation; none is kept. */
  take(): Buffer[] {
    const bodies = this.#bodies;
    this.#bodies = [];
    this.#bytes = 0;
    return bodies;
  }
}
