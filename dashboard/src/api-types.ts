/** What the routes of the API answer; API_DOCS.md describes them. */

export interface Activity {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: Record<string, unknown>;
  source?: string;
  processing: {
    receivedAt: string;
    processedAt: string;
    attempts: number;
    redelivered: boolean;
    worker: string;
    requestId?: string;
    ip?: string;
    userAgent?: string;
  };
}

export interface ActivityPage {
  activities: Activity[];
  nextCursor: string | null;
}

/** An event of the stream, without its payload. */
export interface StreamedEvent {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  page: string | null;
  source: string;
  receivedAt: string;
  processedAt: string;
}

export type Interval = 'hour' | 'day';

export interface Period {
  from: string;
  to: string;
  total: number;
  /** Estimated. */
  users: number;
  byType: { eventType: string; count: number }[];
  topPages: { page: string; count: number }[];
  series: { start: string; count: number; users: number }[];
}

export interface Overview extends Period {
  interval: Interval;
  previous: Period;
  /** Hours with events that are not counted in yet. */
  uncounted: number;
}

export interface Quantiles {
  count: number;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
}

interface Sums {
  accepted: number;
  stored: number;
  duplicate: number;
  dead: number;
}

export interface PipelineReport extends Sums {
  inFlight: number;
  difference: number | null;
  settled: boolean;
  unconfirmed: number;
  repeated: number;
  redelivered: number;
  queue: { depth: number | null; handedOut: number; publishing: number };
  rates: Sums;
  latencies: { confirm: Quantiles; write: Quantiles; acceptToStored: Quantiles };
  limiter: { limited: number; degraded: boolean };
  processes: ProcessSummary[];
}

export interface ProcessSummary extends Partial<Sums> {
  service: 'api' | 'worker';
  name: string;
  state: 'running' | 'silent' | 'ended';
  startedAt: string;
  reportedAt: string;
  inFlight: number;
  unconfirmed?: number;
  rateLimited?: number;
  repeated?: number;
  redelivered?: number;
}

export const deadLetterReasons = [
  'invalid-json',
  'invalid-event',
  'rejected-by-store',
  'crash-loop',
] as const;

export interface DeadLetterHead {
  id: string;
  reason: (typeof deadLetterReasons)[number];
  error: string;
  details: { field: string; message: string }[];
  eventId: string | null;
  eventType: string | null;
  attempts: number;
  diedAt: string;
  worker: string;
}

/** One of the two is null: the bytes are text in UTF-8, or they are not. */
export interface DeadLetter extends DeadLetterHead {
  body: string | null;
  bodyBase64: string | null;
}
