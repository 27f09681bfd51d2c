import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Sample {
  minute: number;
  rssMb: number;
  /** Open file descriptors; null where the system does not show them. */
  fds: number | null;
}

/** What a process holds now. */
export function takeSample(pid: number, minute: number): Sample {
  if (process.platform !== 'linux') {
    const kib = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
    return { minute, rssMb: Number(kib) / 1024, fds: null };
  }
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return { minute, rssMb: Number(kib) / 1024, fds: readdirSync(`/proc/${pid}/fd`).length };
}

/** The slope of the RSS over time by least squares, in MB/min. */
export function slope(samples: readonly Sample[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const minute = mean(samples.map((sample) => sample.minute));
  const rssMb = mean(samples.map((sample) => sample.rssMb));
  const along = samples.map((sample) => (sample.minute - minute) * (sample.rssMb - rssMb));
  const spread = samples.map((sample) => (sample.minute - minute) ** 2);
  return mean(along) / mean(spread);
}
