import { isNativeError } from 'node:util/types';
import { DatabaseError } from 'pg';
import { type SqlFault } from './sql-dialect.ts';

/** Classes of SQLSTATE, and single codes, which win over their class. */
export const SQLSTATE_FAULTS: Readonly<Record<string, SqlFault>> = {
  '40001': 'conflict', // serialization_failure
  '40P01': 'conflict', // deadlock_detected
  '55P03': 'conflict', // lock_not_available
  '22': 'rejected', // data exception
  '23': 'rejected', // integrity constraint violation; the event id's own is no error
  '44': 'rejected', // WITH CHECK OPTION violation
  P0: 'rejected', // raised by somebody's trigger
  '54': 'rejected', // program limit exceeded: an index row, or nesting
  '28': 'misconfigured', // invalid authorization
  '3D': 'misconfigured', // no such database
  '3F': 'misconfigured', // no such schema
  '42': 'misconfigured', // no privilege, no such table or column
  '08': 'unavailable', // connection exception
  '25': 'unavailable', // invalid transaction state, such as read only on a standby
  '53': 'unavailable', // insufficient resources: disk, memory, connections
  '55': 'unavailable', // not in prerequisite state
  '57': 'unavailable', // operator intervention: shutdown, starting up, cancelled
  '58': 'unavailable', // system error
  XX: 'unavailable', // internal error
};

/** What the driver says without a code of the database. */
const DRIVER_FAULTS: readonly [RegExp, SqlFault][] = [
  [/password must be a|SASL|does not support SSL|certificate/, 'misconfigured'],
  [/timeout|terminated|not queryable|after calling end|was closed/i, 'unavailable'],
];

export function postgresFault(error: unknown): SqlFault {
  if (error instanceof DatabaseError) {
    const { code = '' } = error;
    // A code that nobody knows keeps the events on the queue.
    return SQLSTATE_FAULTS[code] ?? SQLSTATE_FAULTS[code.slice(0, 2)] ?? 'unavailable';
  }
  if (!isNativeError(error)) return 'unexpected';
  // The operating system: DNS and sockets, of a host with several addresses one error each.
  if ('syscall' in error || 'errors' in error) return 'unavailable';
  return DRIVER_FAULTS.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'unexpected';
}
