import { pino, type Logger } from 'pino';

export type { Logger };

/** A logger that writes one JSON line an entry to standard output, at once. */
export function createLogger(service: string, level: string): Logger {
  return pino({ name: service, level, timestamp: pino.stdTimeFunctions.isoTime });
}
