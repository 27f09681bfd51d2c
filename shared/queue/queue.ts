import { type ActivityEvent } from '../event.ts';
import { type AsSent } from '../message.ts';

/** `ack`: done. `retry`: again later. `dead`: it can never succeed, and the store keeps it as a dead letter. */
export type Verdict = 'ack' | 'retry' | 'dead';

export interface Message {
  /** The bytes as they were published; any program may have published them. */
  body: Buffer;
  /** Deliveries of this message, this one included, as far as the driver can know; at least 1. */
  attempts: number;
  redelivered: boolean;
}

/**
 * Decides over one message. A message that it throws for is retried. It may be called for up to `prefetch` messages
 * at the same time, and for the same message again: delivery is at least once.
 */
export type MessageHandler = (message: Message) => Promise<Verdict>;

export interface ConsumeOptions {
  /** Messages that may be delivered and not yet decided over. */
  prefetch: number;
  /** A `retry` message comes back no sooner than this, unless its consumer or connection ends before. */
  retryDelayMs: number;
}

export interface Consumer {
  /**
   * Takes no more messages; resolves when every message that was handed out has its verdict and the broker has it.
   * What was delivered and not handed out goes back to the queue.
   */
  stop(): Promise<void>;
  /**
   * Messages that wait for this consumer alone, where the broker gives each a part of the queue, as Kafka does; rejects
   * with QueueUnavailable. Without it whatever waits may come to any consumer.
   */
  depth?(): Promise<number>;
}

/**
 * A durable queue of events, first in, first out as long as nothing is retried.
 *
 * Drivers promise:
 * - `publish` resolves only when the broker holds all events durably and routed to the queue; it rejects with
 *   QueueUnavailable when that did not happen in time. The events may then still be queued: publishing them again is
 *   harmless, since the store keeps one document an event id.
 * - A message leaves the queue only after its verdict `ack` or `dead`; whatever ends the process brings it back.
 * - A connection that is lost is opened again, with back-off, for as long as it takes; consuming goes on by itself.
 * - Nothing waits without a bound: while the broker is away or takes nothing, `publish` and `ping` reject.
 */
export interface Queue {
  /**
   * Queues the events of one request together, in one message where they fit, and that of other requests which arrive in
   * the same turn of the event loop with them. `asSent` is the JSON in which a client sent them, with nothing but their
   * userId, eventType, timestamp and payload; but for the ids, all else they have in common.
   */
  publish(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void>;
  /** Hands every message to `handle`, now and after each reconnect, until the consumer is stopped. */
  consume(handle: MessageHandler, options: ConsumeOptions): Promise<Consumer>;
  /** Resolves when the broker can be reached now; rejects with QueueUnavailable otherwise. */
  ping(): Promise<void>;
  /** Messages that wait in the queue, delivered ones not counted where the broker can tell them apart. */
  depth(): Promise<number>;
  /** Waits for publishes in flight, then disconnects. Consumers must have been stopped before. */
  close(): Promise<void>;
}

export interface QueueOptions {
  name: string;
  type: 'default' | 'quorum';
  /** Most events of one message; 1 for readers that know only one event a message. */
  messageEventsMax: number;
  /** Publishes that may wait for their confirmation; past it `publish` rejects at once. */
  inFlightMax: number;
  /** A publish that is not confirmed after this time rejects. */
  publishTimeoutMs: number;
}
