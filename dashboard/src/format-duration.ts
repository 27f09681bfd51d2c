import { formatMs } from './format.ts';

const steps = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
] as const;

/** "12 ms", "1.4 s", "3 minutes", "12 days" */
export function formatDuration(ms: number): string {
  for (const [unitMs, unit] of steps) {
    if (ms < unitMs) continue;
    const count = Math.round(ms / unitMs);
    return `${count} ${unit}${count === 1 ? '' : 's'}`;
  }
  return formatMs(ms);
}
