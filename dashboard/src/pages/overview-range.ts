import { useSearchParams } from 'wouter';
import { type Interval } from '../api-types.ts';
import { useNow } from '../use-now.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Up to here hours are shown, beyond whole days. */
const HOURLY_MAX_MS = 8 * DAY_MS;

export const presets = {
  '24h': { name: '24 hours', lengthMs: DAY_MS },
  '7d': { name: '7 days', lengthMs: 7 * DAY_MS },
  '30d': { name: '30 days', lengthMs: 30 * DAY_MS },
  '90d': { name: '90 days', lengthMs: 90 * DAY_MS },
} as const;

export type Preset = keyof typeof presets;

export interface Range {
  /** undefined for one that the reader has chosen by its days. */
  preset: Preset | undefined;
  from: Date;
  to: Date;
  interval: Interval;
}

/** The range in the address of the page, so that a link to it shows the same; else the last 24 hours. */
export function useRange(): [Range, (next: Preset | { from: string; to: string }) => void] {
  const [search, setSearch] = useSearchParams();
  const now = useNow(60_000);
  const choose = (next: Preset | { from: string; to: string }) =>
    setSearch(typeof next === 'string' ? { range: next } : next);
  return [readRange(search, now), choose];
}

function readRange(search: URLSearchParams, now: number): Range {
  const from = readDay(search.get('from'));
  const last = readDay(search.get('to'));
  if (from !== undefined && last !== undefined && from <= last) {
    const to = last + DAY_MS;
    return { preset: undefined, from: new Date(from), to: new Date(to), interval: intervalOf(to - from) };
  }
  const asked = search.get('range') ?? '';
  const preset = asked in presets ? (asked as Preset) : '24h';
  const { lengthMs } = presets[preset];
  const interval = intervalOf(lengthMs);
  const stepMs = interval === 'hour' ? HOUR_MS : DAY_MS;
  // Whole hours or days, with the one that is running as the last.
  const to = Math.ceil(now / stepMs) * stepMs;
  return { preset, from: new Date(to - lengthMs), to: new Date(to), interval };
}

function intervalOf(lengthMs: number): Interval {
  return lengthMs <= HOURLY_MAX_MS ? 'hour' : 'day';
}

/** Midnight UTC of a day as `<input type="date">` writes it. */
function readDay(text: string | null): number | undefined {
  const at = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(at) ? undefined : at;
}

/** The first and the last day, as `<input type="date">` takes them. */
export function daysOf({ from, to }: Range): { from: string; to: string } {
  const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);
  return { from: dayOf(from.getTime()), to: dayOf(to.getTime() - 1) };
}
