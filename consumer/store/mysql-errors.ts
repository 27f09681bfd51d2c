import { isNativeError } from 'node:util/types';
import { type SqlFault } from './sql-dialect.ts';

/** Numbers of MySQL and MariaDB. */
export const ERRNO_FAULTS: Readonly<Record<number, SqlFault>> = {
  1020: 'conflict', // ER_CHECKREAD: changed since it was read (MariaDB)
  1205: 'conflict', // ER_LOCK_WAIT_TIMEOUT
  1213: 'conflict', // ER_LOCK_DEADLOCK
  1048: 'rejected', // ER_BAD_NULL_ERROR
  1062: 'rejected', // ER_DUP_ENTRY; the event id's own is no error
  1118: 'rejected', // ER_TOO_BIG_ROWSIZE
  1153: 'rejected', // ER_NET_PACKET_TOO_LARGE
  1264: 'rejected', // ER_WARN_DATA_OUT_OF_RANGE
  1292: 'rejected', // ER_TRUNCATED_WRONG_VALUE
  1301: 'rejected', // ER_WARN_ALLOWED_PACKET_OVERFLOWED
  1364: 'rejected', // ER_NO_DEFAULT_FOR_FIELD: somebody's column
  1366: 'rejected', // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
  1406: 'rejected', // ER_DATA_TOO_LONG
  1644: 'rejected', // ER_SIGNAL_EXCEPTION: somebody's trigger
  3819: 'rejected', // ER_CHECK_CONSTRAINT_VIOLATED
  4025: 'rejected', // ER_CONSTRAINT_FAILED (MariaDB)
  1044: 'misconfigured', // ER_DBACCESS_DENIED_ERROR
  1045: 'misconfigured', // ER_ACCESS_DENIED_ERROR
  1049: 'misconfigured', // ER_BAD_DB_ERROR
  1054: 'misconfigured', // ER_BAD_FIELD_ERROR
  1071: 'misconfigured', // ER_TOO_LONG_KEY: an engine or row format that does not do
  1072: 'misconfigured', // ER_KEY_COLUMN_DOES_NOT_EXITS: a table of somebody else
  1130: 'misconfigured', // ER_HOST_NOT_PRIVILEGED
  1142: 'misconfigured', // ER_TABLEACCESS_DENIED_ERROR
  1143: 'misconfigured', // ER_COLUMNACCESS_DENIED_ERROR
  1146: 'misconfigured', // ER_NO_SUCH_TABLE
  1170: 'misconfigured', // ER_BLOB_KEY_WITHOUT_LENGTH: a table of somebody else
  1227: 'misconfigured', // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1251: 'misconfigured', // ER_NOT_SUPPORTED_AUTH_MODE
  1273: 'misconfigured', // ER_UNKNOWN_COLLATION: a server that is too old
  1665: 'misconfigured', // ER_BINLOG_STMT_MODE_AND_ROW_ENGINE
  1698: 'misconfigured', // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1820: 'misconfigured', // ER_MUST_CHANGE_PASSWORD
};

/** The classes of SQLSTATE that say as much where the number is not known. */
const CLASS_FAULTS: Readonly<Record<string, SqlFault>> = {
  '22': 'rejected',
  '23': 'rejected',
  '28': 'misconfigured',
};

/** What the driver says without a number of the server. */
const DRIVER_FAULTS: readonly [RegExp, SqlFault][] = [
  [/^HANDSHAKE_NO_SSL_SUPPORT$|^AUTH_SWITCH_PLUGIN_ERROR$|certificate/i, 'misconfigured'],
  [/^PROTOCOL_|^E[A-Z]+$|closed|timeout/i, 'unavailable'],
];

export function mysqlFault(error: unknown): SqlFault {
  if (!isNativeError(error)) return 'unexpected';
  const { errno, sqlState, code, message } = error as NodeJS.ErrnoException & { sqlState?: string };
  // A server's number is positive, one of the operating system negative.
  if (errno !== undefined && errno > 0) {
    // What nobody knows keeps the events on the queue.
    return ERRNO_FAULTS[errno] ?? CLASS_FAULTS[sqlState?.slice(0, 2) ?? ''] ?? 'unavailable';
  }
  if ('syscall' in error || 'errors' in error) return 'unavailable';
  return (
    DRIVER_FAULTS.find(([pattern]) => pattern.test(code ?? message) || pattern.test(message))?.[1] ??
    'unexpected'
  );
}
