import mongoose from 'mongoose';

const { MongoError, MongoServerError, MongoInvalidArgumentError, MongoAPIError, BSON } = mongoose.mongo;

/**
 * What a failure means for the events of the call.
 * - `duplicate`: this event is stored already.
 * - `rejected`: this event cannot be stored, however often it is tried.
 * - `unavailable`: the database cannot do it now; the same call may succeed later.
 * - `misconfigured`: the database refuses this client; people must act.
 * - `unexpected`: a fault of this program.
 */
export type Fault = 'duplicate' | 'rejected' | 'unavailable' | 'misconfigured' | 'unexpected';

/** The one document that the server names did not fail for what it holds but for the state of the server. */
export const PASSING_WRITE_ERRORS: Readonly<Record<number, string>> = {
  1: 'InternalError',
  6: 'HostUnreachable',
  7: 'HostNotFound',
  8: 'UnknownError',
  13: 'Unauthorized',
  24: 'LockTimeout',
  46: 'LockBusy',
  50: 'MaxTimeMSExpired',
  63: 'StaleShardVersion',
  64: 'WriteConcernTimeout',
  79: 'UnknownReplWriteConcern',
  82: 'NoProgressMade',
  89: 'NetworkTimeout',
  91: 'ShutdownInProgress',
  100: 'UnsatisfiableWriteConcern',
  107: 'LockFailed',
  112: 'WriteConflict',
  117: 'ConflictingOperationInProgress',
  133: 'FailedToSatisfyReadPreference',
  146: 'ExceededMemoryLimit',
  150: 'StaleEpoch',
  189: 'PrimarySteppedDown',
  202: 'NetworkInterfaceExceededTimeLimit',
  262: 'ExceededTimeLimit',
  317: 'ConnectionPoolExpired',
  365: 'TemporarilyUnavailable',
  371: 'UserWritesBlocked',
  384: 'ConnectionError',
  462: 'IngressRequestRateLimitExceeded',
  9001: 'SocketException',
  10107: 'NotWritablePrimary',
  11600: 'InterruptedAtShutdown',
  11601: 'Interrupted',
  11602: 'InterruptedDueToReplStateChange',
  12501: 'QuotaExceeded',
  13388: 'StaleConfig',
  13435: 'NotPrimaryNoSecondaryOk',
  13436: 'NotPrimaryOrSecondary',
  14031: 'OutOfDiskSpace',
};

/**
 * The server refused the whole command for what some document in it holds. Codes that also stand for a faulty command,
 * such as BadValue, are left out: one of those must not make dead letters of all events.
 */
export const DOCUMENT_ERRORS: Readonly<Record<number, string>> = {
  15: 'Overflow',
  22: 'InvalidBSON',
  52: 'DollarPrefixedFieldName',
  56: 'EmptyFieldName',
  57: 'DottedFieldName',
  121: 'DocumentValidationFailure',
  10334: 'BSONObjectTooLarge',
  17280: 'KeyTooLong',
  17419: 'ResultingDocumentTooLarge',
  17420: 'DocumentTooLarge',
};

/** The server knows who asks and refuses, or does not know. */
export const ACCESS_ERRORS: Readonly<Record<number, string>> = {
  13: 'Unauthorized',
  18: 'AuthenticationFailed',
};

/**
 * The failure of one document in a command that the server took. A code that is not known to pass counts as the
 * document's own: a dead letter can be sent again, a document that is retried for ever keeps all others waiting.
 */
export function writeErrorFault({ code, errmsg }: { code?: unknown; errmsg?: unknown }): Fault {
  if (code === 11000) return namesOtherIndex(String(errmsg)) ? 'rejected' : 'duplicate';
  return typeof code === 'number' && code in PASSING_WRITE_ERRORS ? 'unavailable' : 'rejected';
}

/** The failure of a whole call. `rejected` is meant for one document of it, and the error does not say which. */
export function callFault(error: unknown): Fault {
  if (error instanceof BSON.BSONError || isOutOfRange(error)) return 'rejected';
  if (error instanceof MongoInvalidArgumentError && error.message.includes('larger than the maximum size')) {
    return 'rejected';
  }
  if (error instanceof MongoServerError) return serverFault(error);
  // Of the errors for a wrong use of the driver, those of a client that was closed meanwhile are none of ours.
  if (error instanceof MongoAPIError && !/Closed|NotConnected/.test(error.name)) return 'unexpected';
  if (error instanceof MongoError || error instanceof mongoose.Error.MongooseServerSelectionError) {
    return 'unavailable';
  }
  // The operating system: DNS names of a mongodb+srv URL, sockets.
  return error instanceof Error && 'syscall' in error ? 'unavailable' : 'unexpected';
}

function serverFault({ code, message }: { code?: unknown; message: string }): Fault {
  if (typeof code !== 'number') return 'unavailable';
  // Atlas has one code for all that its proxy refuses.
  if (code in ACCESS_ERRORS || (code === 8000 && /auth/i.test(message))) return 'misconfigured';
  return code in DOCUMENT_ERRORS ? 'rejected' : 'unavailable';
}

/** A unique index that someone else made says nothing about whether this event is stored. */
function namesOtherIndex(message: string): boolean {
  return / index: (?!_id_)/.test(message);
}

/** The document goes past the end of bson's buffer, or of the stack. */
export function isOutOfRange(error: unknown): boolean {
  return (error as Error | undefined)?.name === 'RangeError';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
