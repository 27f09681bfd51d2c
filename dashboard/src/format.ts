/** Numbers and times as the reader's own browser writes them. */

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const oneDigit = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, {
  style: 'percent',
  signDisplay: 'exceptZero',
  maximumFractionDigits: 1,
});
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const timeOfDay = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const utcDay = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  timeZone: 'UTC',
});
const hour = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

/** 12,345 */
export const formatCount = (count: number) => whole.format(count);
/** 12.3K, where there is no room for more. */
export const formatShort = (count: number) => short.format(count);
/** 12.3 */
export const formatRate = (perSecond: number) => oneDigit.format(perSecond);
/** +12.3 % */
export const formatChange = (share: number) => percent.format(share);

type Instant = string | number | Date;

export const formatDateTime = (at: Instant) => dateTime.format(new Date(at));
export const formatTimeOfDay = (at: Instant) => timeOfDay.format(new Date(at));
/** A day of the statistics, which are those of UTC. */
export const formatUtcDay = (at: Instant) => utcDay.format(new Date(at));
export const formatHour = (at: Instant) => hour.format(new Date(at));

/** 0.8 ms, 12 ms, 1.4 s; a dash for what was not measured. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${oneDigit.format(ms)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${oneDigit.format(ms / 1000)} s`;
}

/** "1 event", "2 events" */
export function formatCounted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
