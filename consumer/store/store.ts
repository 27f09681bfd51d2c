import { type FieldError } from '@event-tracker/shared/errors';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { type Counts, type ProcessReport } from '@event-tracker/shared/process-report';

/** What the worker knows of an event when it stores it. */
export interface Delivery {
  event: ActivityEvent;
  /** Deliveries of its message, this one included; at least 1. */
  attempts: number;
  redelivered: boolean;
}

/** The original event beside what happened to it on its way. */
export interface StoredActivity {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: Date;
  payload: Record<string, unknown>;
  source: string;
  processing: {
    receivedAt: Date;
    processedAt: Date;
    attempts: number;
    redelivered: boolean;
    worker: string;
    requestId: string | null;
    ip: string | null;
    userAgent: string | null;
  };
}

/** `duplicate`: an event of this id is stored already, which is as good. `rejected`: no retry can store it. */
export type SaveOutcome =
  { status: 'stored' } | { status: 'duplicate' } | { status: 'rejected'; error: string };

export type DeadLetterReason = 'invalid-json' | 'invalid-event' | 'rejected-by-store';

export interface DeadLetter {
  /** The same for every delivery of the same bytes, so that a redelivery leaves one letter. */
  id: string;
  reason: DeadLetterReason;
  /** One sentence for people. */
  error: string;
  details: FieldError[];
  /** The bytes as they were queued; of a batch, the JSON text of this one event. */
  body: Buffer;
  eventId: string | null;
  eventType: string | null;
  attempts: number;
  diedAt: Date;
  worker: string;
}

export interface ListFilter {
  userId?: string;
  eventType?: string;
  /** Earliest timestamp, included. */
  from?: Date;
  /** Latest timestamp, excluded. */
  to?: Date;
  /** 1 to 500. */
  limit: number;
  /** The last activity of the page before. */
  after?: Position;
}

/** A place in the order newest first; ids break ties. */
export interface Position {
  timestamp: Date;
  eventId: string;
}

/**
 * Where activities and dead letters are kept.
 *
 * Drivers promise:
 * - `save` is idempotent on the event id, without a time window, also for the same id twice in one call, and when
 *   several workers save the same event at once. One bad event never keeps its neighbours from being stored.
 * - When `save` or `recordDead` resolves, the data survives a crash of the database.
 * - A passing fault (away, restarting, no primary, out of disk) rejects with StoreUnavailable within `timeoutMs`;
 *   part of the events may then be stored, and saving all of them again is harmless.
 */
export interface Store {
  /** Creates collections and indexes where they are missing; harmless when several workers do it at once. */
  prepare(): Promise<void>;
  /** One outcome an event, in the order of the events. */
  save(deliveries: readonly Delivery[]): Promise<SaveOutcome[]>;
  /** Keeps dead letters; one that is there already stays as it is. Resolves, of each, to whether it is new. */
  recordDead(letters: readonly DeadLetter[]): Promise<boolean[]>;
  /** Newest first; from an index, whatever the filter. */
  list(filter: ListFilter): Promise<StoredActivity[]>;
  get(eventId: string): Promise<StoredActivity | null>;
  /** Dead letters kept now, newest first, at most `limit`. */
  listDead(limit: number): Promise<DeadLetter[]>;
  /**
   * Keeps what a process reports of itself, in place of what it reported before under that id. Resolves to false, and
   * keeps nothing, when the last report under that id was final, or the process was taken for ended.
   */
  reportProcess(report: ProcessReport, isFirst: boolean): Promise<boolean>;
  /** The last report of each process, and the sum of the counts of those that were folded. */
  listProcesses(): Promise<{ processes: ProcessReport[]; folded: Counts }>;
  /**
   * Adds the counts of processes that have ended, and of those that have not reported since `silentSince`, to one sum
   * and removes their reports: each once, whatever runs at the same time or breaks off.
   */
  foldProcesses(silentSince: Date): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Written into the processing metadata: which worker stored the event. */
  worker: string;
  /** Bound of every call. */
  timeoutMs: number;
}
