import { type Activity, parseActivity, type Parsed } from '@event-tracker/shared/event';
import { type Problem } from '../problems.ts';
import { parseSentAt } from './batch-envelope.ts';

/**
 * How a group of clients says an event and what it expects to hear. Everything between the two, from the rate limit to
 * the broker's confirmation, is the same for all.
 */
export interface Dialect {
  /** Kept with each event as its `source`. */
  source: string;
  /**
   * Checks what the client sent as one event and maps it; `body` is the whole body, which may hold facts of a batch, and
   * `isPlain` what `readJson` says of it.
   */
  parse: (input: unknown, body: unknown, isPlain: boolean) => Parsed<Activity>;
  /** When a batch was sent by the clock that its timestamps are from, where its body may tell it. */
  parseSentAt?: (body: unknown) => Parsed<string | undefined>;
  /** The answer to one event that the queue holds, where it is not `202` with `status` and `eventId`. `eventId` is JSON, as `body` is. */
  accepted?: (eventId: string) => { status: number; body: string };
  /** The body of an error, where it is not a problem document (RFC 9457). */
  refused?: (problem: Problem) => object;
}

/** The project's own. */
export const activities: Dialect = {
  source: 'activities',
  parse: (input, _body, isPlain) => parseActivity(input, isPlain),
  parseSentAt,
};
