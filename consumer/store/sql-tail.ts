import { pageOf } from './page.ts';
import { type SqlCalls } from './sql-calls.ts';
import { type Dialect, type SqlRow } from './sql-dialect.ts';
import { type Range, readRange } from './sql-page.ts';
import { type ActivityHead, HEAD_TEXT_LENGTH_MAX, type Store, type TailFilter } from './store.ts';

/**
 * A page is read from payloads of at most so many bytes: a tail brings some hundred of them. The JSON functions of the
 * databases would look into larger ones too, and fail for the whole tail where one row holds what they do not take.
 */
export const PAGE_PAYLOAD_BYTES_MAX = 16 * 1024;

/** The part of the store that tells what was stored last. */
export function createSqlTail(dialect: Dialect, call: SqlCalls['call']): Pick<Store, 'tail'> {
  return {
    tail: (filter) =>
      call(async ({ run }) => (await readRange(dialect, run, tailRange(dialect, filter))).map(toHead)),
  };
}

export function tailRange({ activities }: Dialect, { since, limit }: TailFilter): Range {
  const { table, payload, payloadBytes } = activities;
  const plain = ['event_id', 'user_id', 'event_type', 'timestamp', 'received_at', 'processed_at'];
  return {
    columns: [
      ...plain,
      `left(source, ${HEAD_TEXT_LENGTH_MAX}) as source`,
      `case when ${payloadBytes} <= ${PAGE_PAYLOAD_BYTES_MAX} then ${payload} end as payload`,
    ],
    ...{ table, index: 'by_processed', same: {}, time: 'processed_at', id: 'event_id' },
    ...{ from: since, to: undefined, after: undefined, limit },
  };
}

function toHead(row: SqlRow): ActivityHead {
  return {
    eventId: row.event_id as string,
    userId: row.user_id as string,
    eventType: row.event_type as string,
    timestamp: row.timestamp as Date,
    page: readPage(row.payload as string | null),
    source: row.source as string,
    receivedAt: row.received_at as Date,
    processedAt: row.processed_at as Date,
  };
}

function readPage(payload: string | null): string | null {
  try {
    return payload === null ? null : pageOf(JSON.parse(payload) as Record<string, unknown>);
  } catch {
    // Another program may have put anything there, which is no reason to tell nothing of all other rows.
    return null;
  }
}
