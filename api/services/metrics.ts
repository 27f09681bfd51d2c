import { defineMetrics } from '@event-tracker/shared/metrics';
import { noCounts } from '@event-tracker/shared/process-report';
import { type Queue } from '@event-tracker/shared/queue/queue';
import { type CheckStatus } from '@event-tracker/shared/readiness';

const { registry, counter, gauge, labelled, histogram } = defineMetrics();

/** All metrics of the API; this file defines them. */
export const apiRegistry = registry;

/** What this process has counted, for its metrics and for its reports. */
export const apiCounts = noCounts();

let invalid = 0;
let publishing = 0;
let checks: Record<string, CheckStatus> = {};

counter('accepted_events_total', 'Events that the queue has confirmed to hold.', () => apiCounts.accepted);
counter(
  'unconfirmed_events_total',
  'Events whose publish failed or was not confirmed in time; the queue may hold them all the same.',
  () => apiCounts.unconfirmed,
);
counter(
  'invalid_events_total',
  'Events that were refused as invalid, each of a batch counted.',
  () => invalid,
);
export const rejectedRequests = labelled(
  'rejected_requests_total',
  'Requests answered with an error, by its code.',
  'reason',
);
counter(
  'rate_limited_requests_total',
  'Requests past the rate limit: refused, or let through where RATE_LIMIT_MODE is observe.',
  () => apiCounts.rateLimited,
);
gauge('publishes_in_flight', 'Requests whose events wait for the broker’s confirmation.', () => publishing);
export const confirmSeconds = histogram(
  'confirm_seconds',
  'Time from the publish of the events of a request to the broker’s confirmation.',
);
gauge('rate_limiter_degraded', '1 while Redis is away and this process limits on its own, else 0.', () =>
  Number(checks.rateLimit === 'degraded'),
);
gauge('api_queue_connected', '1 while the queue takes events, else 0.', () => Number(checks.queue === 'up'));
gauge('api_store_connected', '1 while the store can be read, else 0.', () => Number(checks.store === 'up'));

export function countInvalid(events: number): void {
  invalid += events;
}

/** The metrics as Prometheus reads them; what readiness has found is shown with them. */
export function exposeMetrics(found: Record<string, CheckStatus>): Promise<string> {
  checks = found;
  return registry.metrics();
}

/** Publishes whose confirmation is awaited. */
export const publishesInFlight = () => publishing;

/** Counts what goes through a queue to its far end, whoever publishes: new events and replayed ones alike. */
export function meterPublish(queue: Pick<Queue, 'publish'>): Pick<Queue, 'publish'> {
  return {
    publish(events, asSent) {
      const begun = performance.now();
      const { length } = events;
      publishing += 1;
      // Not an async function, which would hold the events until their confirm.
      return queue.publish(events, asSent).then(
        () => {
          publishing -= 1;
          apiCounts.accepted += length;
          confirmSeconds.observe((performance.now() - begun) / 1000);
        },
        (error: unknown) => {
          publishing -= 1;
          apiCounts.unconfirmed += length;
          throw error;
        },
      );
    },
  };
}
