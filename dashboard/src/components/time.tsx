import { formatDateTime, formatTimeOfDay } from '../format.ts';

/** A point in time, in the reader's time zone; the title has all of it, and `short` leaves out the day. */
export function Time({ at, short = false }: { at: string; short?: boolean }) {
  return (
    <time dateTime={at} title={at}>
      {short ? formatTimeOfDay(at) : formatDateTime(at)}
    </time>
  );
}
