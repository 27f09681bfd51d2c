import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceName } from './start-all.ts';

/** What a suite may need: the services, and Chromium, which each suite starts for itself. */
export type PartName = ServiceName | 'chromium';

/** Where Jest's setup says that a part is there: the URL of a service, the path of Chromium. */
export const partVariables: Record<PartName, string> = {
  rabbitmq: 'TEST_RABBITMQ_URL',
  redis: 'TEST_REDIS_URL',
  mongodb: 'TEST_MONGODB_URL',
  kafka: 'TEST_KAFKA_URL',
  postgres: 'TEST_POSTGRES_URL',
  mysql: 'TEST_MYSQL_URL',
  chromium: 'TEST_CHROMIUM',
};

/** Handed from Jest's setup to its teardown; an object of the process, for Jest may load this file twice. */
export const running = ((globalThis as Record<symbol, unknown>)[Symbol.for('event-tracker.services')] ??=
  {}) as { stop?: () => Promise<void> };

/** `describe` where these parts are there for the tests; elsewhere a skipped suite that says what is missing. */
export function describeWith(parts: PartName | PartName[], title: string, body: () => void): void {
  const missing = [parts].flat().filter((name) => !isThere(name));
  if (missing.length === 0) describe(title, body);
  else
    // Not every machine can have every part, and the other suites are worth running there; with CI set, Jest's setup
    // fails for a missing one before any suite is read.
    describe.skip(`${title} (no ${missing.join(', no ')}: npm run services -- check)`, body);
}

/** Whether this part is there for the tests. */
export function isThere(name: PartName): boolean {
  return process.env[partVariables[name]] !== undefined;
}

/** The URL of a service that runs for the tests; a database name may be appended to those of databases as `/name`. */
export function serviceUrl(name: ServiceName): string {
  const url = process.env[partVariables[name]];
  if (url === undefined)
    throw new Error(`${partVariables[name]} is not set: use describeWith('${name}', ...)`);
  return url;
}

/** For MongoMemoryServer, whose own ten seconds are little on a machine on which much else starts. */
export const memoryServerOptions = { instance: { launchTimeout: 45_000 } };

/** A name for a queue or a database that no other test has. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`;
}

/** Waits for a condition; what bounds the wait is the test's own timeout. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  // Of a test that has failed already it keeps nothing alive.
  while (!(await condition())) await delay(5, undefined, { ref: false });
}
