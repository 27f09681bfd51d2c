import { setTimeout as delay } from 'node:timers/promises';
import { type Experiment, type Section } from '../experiment.ts';
import { runLoad } from '../load.ts';
import { type Bar, formatNumber, Results, summarise } from '../results.ts';
import { apis, type Program, workers } from '../stack.ts';
import { type Sample, slope, takeSample } from '../../soak/sample.ts';

const SAMPLE_EVERY_MS = 1000;
/** Memory settles in this part of the time; the slope is that of what comes after it. */
const WARM_UP_SHARE = 1 / 3;
const RSS_MAX_MB = 160;
/** As in `npm run soak`. */
const SLOPE_MAX_MB_PER_MINUTE = 1;

export const memory: Experiment = {
  name: 'memory',
  title: 'Memory under full load',
  isQuick: false,
  isOnce: true,
  async run(bench, progress): Promise<Section> {
    const { minutes } = bench.options;
    const space = bench.openSpace();
    const results = new Results();
    try {
      const worker = await space.startWorker(workers.ours);
      const api = await space.startApi(apis.ours);
      const programs: Record<string, Program & { samples: Sample[] }> = {
        API: { ...api, samples: [] },
        worker: { ...worker, samples: [] },
      };
      const over = new AbortController();
      const watching = watch(Object.values(programs), over.signal, (minute) =>
        progress(`${minute.toFixed(1)} of ${minutes} min`),
      );
      const load = { ports: [api.port], connections: 64, events: 1, seconds: minutes * 60 };
      const { requests, seconds, unexpected } = await runLoad(load);
      over.abort();
      await watching;
      results.note('ours', unexpected);
      const depth = await space.depth();
      return {
        how: `API and worker of ours, 64 connections, single events, as fast as they are answered, for ${minutes} min in one run; memory is read every second, the slope is that of a line through what comes after the first third.`,
        tables: [
          [
            '| Process | RSS max MB | RSS at the end MB | slope MB/min |',
            '| --- | ---: | ---: | ---: |',
            ...Object.entries(programs).map(([name, { samples }]) => rowOf(name, samples)),
          ],
        ],
        bars: Object.entries(programs).flatMap(([name, { samples }]) => barsOf(results, name, samples)),
        notes: [
          `${formatNumber(requests / seconds)} events a second were accepted; ${depth} messages waited in the end.`,
        ],
        faults: results.faults,
      };
    } finally {
      await space.close();
    }
  },
};

async function watch(
  programs: { pid: number; samples: Sample[] }[],
  signal: AbortSignal,
  progress: (minute: number) => void,
): Promise<void> {
  const begun = performance.now();
  while (!signal.aborted) {
    const minute = (performance.now() - begun) / 60_000;
    for (const { pid, samples } of programs) samples.push(takeSample(pid, minute));
    progress(minute);
    await delay(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

function growth(samples: Sample[]): number {
  const end = samples.at(-1)?.minute ?? 0;
  return slope(samples.filter(({ minute }) => minute >= end * WARM_UP_SHARE));
}

function most(samples: Sample[]): number {
  return Math.max(...samples.map(({ rssMb }) => rssMb));
}

function rowOf(name: string, samples: Sample[]): string {
  const figures = [most(samples), samples.at(-1)?.rssMb ?? NaN, growth(samples)];
  return `| ${[name, ...figures.map(formatNumber)].join(' | ')} |`;
}

function barsOf(results: Results, name: string, samples: Sample[]): Bar[] {
  const memoryBar = results.bar(`RSS max MB, ${name}`, summarise([most(samples)]), `<= ${RSS_MAX_MB}`);
  const slopeBar = results.bar(
    `RSS slope MB/min, ${name}`,
    summarise([growth(samples)]),
    `<= ${SLOPE_MAX_MB_PER_MINUTE}`,
  );
  return [memoryBar, slopeBar];
}
