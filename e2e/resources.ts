import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const SAMPLE_INTERVAL_MS = 100;

/** Resident memory of a process, in MiB. */
export function residentMiB(pid: number): number {
  if (process.platform !== 'linux') {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
  }
  const [, kib = ''] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** The value below which this part of the values lies: 0.5 for the median, 1 for the largest. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN;
}

/** Takes samples of a process's memory until it is told to stop; resolves to them. */
export function watchMemory(pid: number): () => Promise<number[]> {
  const samples: number[] = [];
  let watching = true;
  const watched = (async () => {
    while (watching) {
      samples.push(residentMiB(pid));
      await delay(SAMPLE_INTERVAL_MS);
    }
  })();
  return async () => {
    watching = false;
    await watched;
    return samples;
  };
}
