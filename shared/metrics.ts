import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Upper bounds of the latency histograms, in seconds; an event may wait for a database for hours. */
export const LATENCY_BUCKETS_S = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
];

const name = (given: string) => `event_tracker_${given}`;

/**
 * The Prometheus metrics of one process: those of Node and those that are added. A counter or a gauge is read when
 * somebody asks, so that counting itself is adding to a number.
 */
export function defineMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    counter: (given: string, help: string, read: () => number): void => {
      const collect = function (this: Counter): void {
        this.reset();
        this.inc(read());
      };
      new Counter({ name: name(given), help, registers, collect });
    },
    gauge: (given: string, help: string, read: () => number): void => {
      const collect = function (this: Gauge): void {
        this.set(read());
      };
      new Gauge({ name: name(given), help, registers, collect });
    },
    /** A counter by the values of one label, which have to be few. */
    labelled: <T extends string>(given: string, help: string, label: T) =>
      new Counter({ name: name(given), help, registers, labelNames: [label] }),
    histogram: (given: string, help: string, buckets = LATENCY_BUCKETS_S) =>
      new Histogram({ name: name(given), help, registers, buckets }),
  };
}

/** Of a histogram without labels, how many values fell into each bucket, those beyond the last bound at the end. */
export async function readBuckets(histogram: Histogram): Promise<number[]> {
  const { values } = await histogram.get();
  const cumulative = values
    .filter(({ metricName }) => metricName?.endsWith('_bucket'))
    .map(({ value }) => value);
  return cumulative.map((count, index) => count - (cumulative[index - 1] ?? 0));
}
