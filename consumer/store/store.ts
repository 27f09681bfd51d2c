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

export const DEAD_LETTER_REASONS = [
  'invalid-json',
  'invalid-event',
  'rejected-by-store',
  'crash-loop',
] as const;

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

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
  /** The last time; a letter that dies again has another one. */
  diedAt: Date;
  worker: string;
}

/** What a list shows: a body may be as large as a document. */
export type DeadLetterHead = Omit<DeadLetter, 'body'>;

/** A death in the order newest first; ids break ties. */
export type DeadLetterPosition = Pick<DeadLetter, 'diedAt' | 'id'>;

export interface DeadLetterFilter {
  reason?: DeadLetterReason;
  eventType?: string;
  /** Earliest `diedAt`, included. */
  from?: Date;
  /** Latest `diedAt`, excluded. */
  to?: Date;
  /** 1 to 500. */
  limit: number;
  /** The last letter of the page before. */
  after?: DeadLetterPosition;
}

/** Attempts that nobody counts or forgets for this long are no loop: they may be gone then. */
export const ATTEMPTS_TTL_MS = 24 * 60 * 60 * 1000;

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

/** What a live stream shows of an activity: nothing of it may be large. */
export interface ActivityHead {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: Date;
  /** See `pageOf`; null also where the payload is too large to be looked into for it. */
  page: string | null;
  /** Cut at `HEAD_TEXT_LENGTH_MAX` characters. */
  source: string;
  receivedAt: Date;
  processedAt: Date;
}

/** What a head keeps of a text that has no bound of its own. */
export const HEAD_TEXT_LENGTH_MAX = 200;

export interface TailFilter {
  /** Earliest `processedAt`, included. */
  since: Date;
  /** 1 to 500. */
  limit: number;
}

export interface DeadLetterStore {
  /** Keeps dead letters. One of the same id is replaced: the same bytes have died again, and `diedAt` tells it. */
  recordDead(letters: readonly DeadLetter[]): Promise<void>;
  /** Dead letters without their bodies, newest first; from an index, whatever the filter. */
  listDead(filter: DeadLetterFilter): Promise<DeadLetterHead[]>;
  getDead(id: string): Promise<DeadLetter | null>;
  /**
   * Removes dead letters and resolves to how many that were. One that has died again since, with another `diedAt`,
   * stays: whoever removes a letter that was replayed must not remove the one that the replay has left.
   */
  deleteDead(letters: readonly DeadLetterPosition[]): Promise<number>;
}

/** Counts what a worker has begun, so that the next one knows what has ended the one before. */
export interface AttemptStore {
  /** How often each key was counted and not forgotten since, in the order of the keys. */
  readAttempts(keys: readonly string[]): Promise<number[]>;
  /** Counts each key once more, atomically, whoever else counts it. */
  countAttempts(keys: readonly string[]): Promise<void>;
  forgetAttempts(keys: readonly string[]): Promise<void>;
}

/** For so long after a mark its hour stays dirty, however often it is counted. */
export const MARK_MS = 10_000;
/** Nobody else counts an hour for so long after it was claimed; whoever claimed it may be gone. */
export const CLAIM_MS = 20_000;
/** An hour that stays marked is not claimed again for so long after it was counted. */
export const RECOUNT_MS = 2_000;

/** What counting needs of a page of activities, each field by itself. */
export interface CountedPage {
  /** One of each activity, as in `userIds`. */
  eventTypes: string[];
  userIds: string[];
  /** Of the activities that have one, see `pageOf`. */
  pages: string[];
  /** Behind what the next page begins; null where there is none. */
  next: Position | null;
}

/** What was counted of the events of an hour. */
export interface HourCounts {
  total: number;
  /** The most frequent ones with their counts, most frequent first. */
  byType: [string, number][];
  pages: [string, number][];
  /** A `UserSketch`, encoded. */
  users: string;
}

export interface HourRecord {
  hour: Date;
  /** Whether there may be events that are not in `counts`. */
  isDirty: boolean;
  /** Null before it was first counted. */
  counts: HourCounts | null;
}

export interface HourClaim {
  hour: Date;
  /** Whatever was saved before is found by a scan. */
  claimedAt: Date;
}

/**
 * Counts by hour of the events' own timestamps. They are derived: an hour is always counted anew from its events, so
 * that nothing that is killed or repeated makes them wrong. All moments are of the database's clock.
 */
export interface HourStore {
  /**
   * Makes hours, each given once, dirty until so long from now, or longer where they are already. Survives a crash of the
   * database.
   */
  markHours(hours: readonly Date[], forMs?: number): Promise<void>;
  /** Claims the newest dirty hour that nobody has claimed and that was not counted just now; null where there is none. */
  claimHour(): Promise<HourClaim | null>;
  /** Of the same activities as `list` in the same order what counting needs; a page may have fewer than the limit. */
  scan(filter: ListFilter): Promise<CountedPage>;
  /** Keeps the counts of a claimed hour, unless those of a later claim are kept. It stays dirty when its mark reaches beyond the claim. */
  keepHour(claim: HourClaim, counts: HourCounts): Promise<void>;
  /** The hours that were ever marked, oldest first: `from` included, `to` excluded. */
  listHours(from: Date, to: Date): Promise<HourRecord[]>;
}

/**
 * Where activities and dead letters are kept.
 *
 * Drivers promise:
 * - `save` is idempotent on the event id, without a time window, also for the same id twice in one call, and when
 *   several workers save the same event at once. One bad event never keeps its neighbours from being stored.
 * - When `save`, `recordDead` or `deleteDead` resolves, the data survives a crash of the database.
 * - A passing fault (away, restarting, no primary, out of disk) rejects with StoreUnavailable within `timeoutMs`;
 *   part of the events may then be stored, and saving all of them again is harmless.
 */
export interface Store extends DeadLetterStore, AttemptStore, HourStore {
  /** Creates collections or tables and indexes where they are missing; harmless when several workers do it at once. */
  prepare(): Promise<void>;
  /** One outcome an event, in the order of the events. */
  save(deliveries: readonly Delivery[]): Promise<SaveOutcome[]>;
  /** Newest first; from an index, whatever the filter. */
  list(filter: ListFilter): Promise<StoredActivity[]>;
  get(eventId: string): Promise<StoredActivity | null>;
  /**
   * What was stored last, newest first by `processedAt`; from an index. That is the time at which a write began: one that
   * took longer may put an event behind others that were there already.
   */
  tail(filter: TailFilter): Promise<ActivityHead[]>;
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
