/** One fault of one field; `field` is a path with dots, empty for the whole value. */
export interface FieldError {
  field: string;
  message: string;
}

/** The queue does not hold the events now; the same call may succeed later. */
export class QueueUnavailable extends Error {
  override name = 'QueueUnavailable';
}

/** The store did not answer now; the same call may succeed later. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

/** The configuration is wrong; every line of the message names a variable and what to do. Retrying cannot help. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError';
}
