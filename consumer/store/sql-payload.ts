import { pageOf } from './page.ts';
import { type Dialect } from './sql-dialect.ts';

/** Rows are read by the hundred; a longer payload is not read with them, so that they do not fill the memory. */
export const PAYLOAD_BYTES_MAX = 16 * 1024;

/**
 * The column `payload`, null where it is too long. The JSON functions of the databases would look into longer ones too,
 * and fail for all rows where one holds what they do not take.
 */
export function shortPayload({ activities: { payload, payloadBytes } }: Dialect): string {
  return `case when ${payloadBytes} <= ${PAYLOAD_BYTES_MAX} then ${payload} end as payload`;
}

/** The page of an event, by the text of its payload. */
export function readPage(payload: string | null): string | null {
  try {
    return payload === null ? null : pageOf(JSON.parse(payload) as Record<string, unknown>);
  } catch {
    // Another program may have put anything there, which is no reason to tell nothing of all other rows.
    return null;
  }
}
