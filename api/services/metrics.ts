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
  'Time from the publish of events, of one request or of several that share a message, to the broker’s confirmation.',
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

/** Publishes that have one promise, because their events share a message. */
interface Group {
  sent: Promise<void>;
  metered: Promise<void>;
  publishes: number;
  events: number;
}

/**
 * Counts what goes through a queue to its far end, whoever publishes: new events and replayed ones alike. Publishes that
 * share a message, and so its promise, are counted together, which is cheaper than a promise and an observation for each;
 * one that has a promise of its own is a group of one. docs/where-the-time-goes.md has the gain.
 */
export function meterPublish(queue: Pick<Queue, 'publish'>): Pick<Queue, 'publish'> {
  let latest: Group | undefined;

  function begin(sent: Promise<void>): Group {
    const begun = performance.now();
    const end = () => {
      publishing -= group.publishes;
      if (latest === group) latest = undefined;
    };
    const metered = sent.then(
      () => {
        end();
        apiCounts.accepted += group.events;
        confirmSeconds.observe((performance.now() - begun) / 1000);
      },
      (error: unknown) => {
        end();
        apiCounts.unconfirmed += group.events;
        throw error;
      },
    );
    const group: Group = { sent, metered, publishes: 0, events: 0 };
    return group;
  }

  return {
    publish(events, asSent) {
      const sent = queue.publish(events, asSent);
      if (latest?.sent !== sent) latest = begin(sent);
      latest.publishes += 1;
      latest.events += events.length;
      publishing += 1;
      return latest.metered;
    },
  };
}
