import { setTimeout as delay } from 'node:timers/promises';
import { type Overview } from '@event-tracker/api/services/overview';
import { markHours } from '@event-tracker/consumer/services/hours';
import { HOUR_MS } from '@event-tracker/consumer/store/hour-counts';
import { openStore } from '@event-tracker/consumer/store/open';
import { createId } from '@event-tracker/shared/id';
import { type Experiment, interleave, type Section } from '../experiment.ts';
import { anEvent } from '../load/events.ts';
import { formatNumber, type Results, table } from '../results.ts';
import { apis, type Bench, type Space, workers } from '../stack.ts';

const HOURS = 30 * 24;
const REQUESTS = 50;
const USERS = 50_000;
const SAVED_AT_ONCE = 1000;
const WORKERS = 4;

export const overview: Experiment = {
  name: 'overview',
  title: 'The overview of a month',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const events = bench.options.quick ? 100_000 : 1_000_000;
    const to = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    const month = to - HOURS * HOUR_MS;
    // Behind the month before, which the overview shows beside it.
    const outside = month - 2 * HOURS * HOUR_MS;
    const names = [`${events} events`, `and ${events} outside of it`] as const;
    const spaces = [bench.openSpace(), bench.openSpace()];
    try {
      const counted: string[] = [];
      for (const [index, space] of spaces.entries()) {
        progress(`filling a store with ${events * (index + 1)} events`);
        const months = index === 0 ? [month] : [month, outside];
        for (const from of months) await fill(space, events, from);
        progress('counting their hours');
        const seconds = await countHours(bench, space, months.length * HOURS);
        counted.push(
          `the ${months.length * HOURS} hours with ${events * months.length} events in ${formatNumber(seconds)} s`,
        );
      }
      const results = await interleave(bench.options, names, progress, (name, found) =>
        readMonth(spaces[names.indexOf(name as never)]!, { from: month, to, events }, name, found),
      );
      return {
        how: `Two stores with ${events} events of ${USERS} users, evenly over 30 days; one has as many more from two months before. They are saved by our store, a thousand at a time with the marks of a worker, and ${WORKERS} workers count their hours. In each round \`GET /api/v1/stats/overview\` of the 30 days is asked ${REQUESTS} times, one request after the other, of an API that was just started.`,
        tables: [table(results, { 'p50 ms': 'p50Ms', 'p95 ms': 'p95Ms', 'answer KB': 'answerKb' })],
        bars: [
          results.bar(`p95 ms, ${names[0]}`, results.summary(names[0], 'p95Ms'), '<= 300'),
          results.bar(
            'p95, with events outside over without',
            results.ratio('p95Ms', names[1], names[0]),
            '<= 1.5',
          ),
        ],
        notes: [
          `${WORKERS} workers with nothing else to do counted ${counted.join(', and ')}; each rests ten times as long as it works.`,
        ],
        faults: results.faults,
      };
    } finally {
      for (const space of spaces) await space.close();
    }
  },
};

async function fill({ database }: Space, events: number, from: number): Promise<void> {
  const store = markHours(await openStore(database, { worker: 'bench:1', timeoutMs: 60_000 }));
  await store.prepare();
  for (let start = 0; start < events; start += SAVED_AT_ONCE) {
    const deliveries = Array.from({ length: SAVED_AT_ONCE }, (_, offset) => {
      const index = start + offset;
      const timestamp = new Date(from + (index / events) * HOURS * HOUR_MS).toISOString();
      const event = { ...anEvent(index, createId()), userId: `user-${(index * 7919) % USERS}`, timestamp };
      return { event, attempts: 1, redelivered: false };
    });
    await store.save(deliveries);
  }
  await store.close();
}

/** Resolves to the seconds until the workers have counted so many hours. */
async function countHours({ client }: Bench, space: Space, hours: number): Promise<number> {
  const records = client.db(space.queue).collection('activity_hours');
  const begun = performance.now();
  const started = await Promise.all(Array.from({ length: WORKERS }, () => space.startWorker(workers.ours)));
  while ((await records.countDocuments({ isDirty: false })) < hours) await delay(100);
  const seconds = (performance.now() - begun) / 1000;
  for (const worker of started) await worker.stop();
  return seconds;
}

async function readMonth(
  space: Space,
  { from, to, events }: { from: number; to: number; events: number },
  name: string,
  found: Results,
) {
  const api = await space.startApi(apis.ours);
  const range = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`;
  const url = `http://127.0.0.1:${api.port}/api/v1/stats/overview?${range}`;
  const tookMs: number[] = [];
  let answer = '';
  for (let count = 0; count < REQUESTS; count += 1) {
    const begun = performance.now();
    answer = await (await fetch(url)).text();
    tookMs.push(performance.now() - begun);
  }
  await api.stop();
  const { total, uncounted } = JSON.parse(answer) as Overview;
  if (total !== events || uncounted !== 0)
    found.faults.push(`${name}: ${total} events, ${uncounted} uncounted`);
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => tookMs[Math.ceil(REQUESTS * share) - 1] ?? NaN;
  return { p50Ms: at(0.5), p95Ms: at(0.95), answerKb: answer.length / 1000 };
}
