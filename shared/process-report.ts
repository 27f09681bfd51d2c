/**
 * What one process has counted since its start. Of all processes together it holds that
 * accepted = stored + duplicate + dead + what is on its way.
 */
export interface Counts {
  /** Events that the queue has confirmed to hold. */
  accepted: number;
  /** Events whose publish failed; the queue may hold them all the same. */
  unconfirmed: number;
  /** Requests past the rate limit. */
  rateLimited: number;
  stored: number;
  /** Accepted events whose id was stored already: a client has sent them again. */
  duplicate: number;
  /** Dead letters made. */
  dead: number;
  /** Events of a redelivered message that an earlier delivery had stored. They are counted there, and no duplicates. */
  repeated: number;
  /** Messages that were delivered not for the first time. */
  redelivered: number;
}

export const noCounts = (): Counts => ({
  accepted: 0,
  unconfirmed: 0,
  rateLimited: 0,
  stored: 0,
  duplicate: 0,
  dead: 0,
  repeated: 0,
  redelivered: 0,
});

export const countNames = Object.keys(noCounts()) as (keyof Counts)[];

export function addCounts(sum: Counts, more: Counts): Counts {
  return mapCounts((name) => sum[name] + more[name]);
}

export function mapCounts(value: (name: keyof Counts) => number): Counts {
  return Object.fromEntries(countNames.map((name) => [name, value(name)])) as unknown as Counts;
}

export type LatencyName = 'confirm' | 'write' | 'acceptToStored';

/** What a process tells of itself about once a second. */
export interface ProcessReport {
  /** Another one for each run of a program. */
  id: string;
  service: 'api' | 'worker';
  /** Host and process id, or WORKER_NAME. */
  name: string;
  startedAt: Date;
  reportedAt: Date;
  /** The last report there will be under this id; `counts` are final. */
  ended: boolean;
  counts: Counts;
  /** An API's publishes without an answer of the broker, a worker's messages without a verdict. */
  inFlight: number;
  /** Messages that waited in the queue, as a worker has measured; null where it was not measured. */
  depth: number | null;
  /** At least so long nothing was counted or in flight. */
  quietMs: number;
  /** Counts a second over the last seconds. */
  rates: Counts;
  /** Over the last seconds, how many latencies fell into each of `LATENCY_BUCKETS_S`; one more for those beyond. */
  latencies: Partial<Record<LatencyName, number[]>>;
  /** An API that limits on its own, because Redis is away. */
  limiterDegraded: boolean;
}
