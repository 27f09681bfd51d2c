import { defineMetrics } from '@event-tracker/shared/metrics';
import { noCounts } from '@event-tracker/shared/process-report';
import { type CheckStatus } from '@event-tracker/shared/readiness';

const { registry, counter, gauge, labelled, histogram } = defineMetrics();

/** All metrics of the worker; this file defines them. */
export const workerRegistry = registry;

/** What this process has counted, for its metrics and for its reports. */
export const workerCounts = noCounts();

/** What this process has in hand, and what it saw of the queue. */
export const workerState = {
  /** Messages that the processor works on. */
  handling: 0,
  /** Messages that failed and wait for their next delivery. */
  delayed: 0,
  /** Messages decided over since the start. */
  verdicts: 0,
  /** Messages that wait in the queue; null while it does not answer. */
  depth: null as number | null,
};

let checks: Record<string, CheckStatus> = {};
const up = (check: string) => Number(checks[check] === 'up');

counter('stored_events_total', 'Events stored.', () => workerCounts.stored);
counter(
  'duplicate_events_total',
  'Accepted events whose id was stored already.',
  () => workerCounts.duplicate,
);
counter(
  'repeated_events_total',
  'Events of redelivered messages that an earlier delivery had stored; counted there, and no duplicates.',
  () => workerCounts.repeated,
);
export const deadEvents = labelled('dead_events_total', 'Dead letters made, by reason.', 'reason');
counter(
  'redelivered_messages_total',
  'Messages that were delivered not for the first time.',
  () => workerCounts.redelivered,
);
counter('settled_messages_total', 'Messages decided over.', () => workerState.verdicts);
gauge(
  'messages_in_flight',
  'Messages that the queue has handed out to this worker and that are not decided over.',
  () => workerState.handling + workerState.delayed,
);
gauge(
  'queue_depth_messages',
  'Messages that wait in the queue, as this worker measured within the last seconds; NaN while the queue does not answer.',
  () => workerState.depth ?? NaN,
);
export const writeSeconds = histogram(
  'write_seconds',
  'Time of one write to the store, whatever came of it.',
);
export const acceptToStoredSeconds = histogram(
  'accept_to_stored_seconds',
  'Time from the receipt of an event by the API (receivedAt) until it was stored durably.',
);
export const countSeconds = histogram(
  'hour_count_seconds',
  'Time of counting the events of one hour for the statistics, with the rests while the worker is busy.',
);
export const batchEvents = histogram(
  'batch_events',
  'Events that one write to the store carried.',
  [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
);
gauge('worker_queue_connected', '1 while the queue answers, else 0.', () => up('queue'));
gauge('worker_store_connected', '1 while the store answers, else 0.', () => up('store'));
gauge('worker_consuming', '1 while the worker takes messages and gets on with them, else 0.', () =>
  up('consuming'),
);

/** The metrics as Prometheus reads them; what readiness has found is shown with them. */
export function exposeMetrics(found: Record<string, CheckStatus>): Promise<string> {
  checks = found;
  return registry.metrics();
}
