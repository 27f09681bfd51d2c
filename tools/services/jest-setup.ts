import { buildDashboard, dashboardIsStale } from '../../local/dashboard.ts';
import { findChromium } from './find.ts';
import { kinds, parseServiceNames, startAll, stopAll, type ServiceName } from './start-all.ts';
import { type PartName, partVariables, running } from './in-tests.ts';

/**
 * Starts RabbitMQ, Kafka, Redis and the databases once for a run of Jest, side by side; `TEST_SERVICES=none` or
 * `TEST_SERVICES=redis,mongodb` starts fewer. Where a program is not installed the suites that need it skip themselves,
 * except in CI. The dashboard is built where that is due.
 */
export default async function setup(): Promise<void> {
  const names: ServiceName[] = [];
  for (const name of parseServiceNames([process.env.TEST_SERVICES ?? ''])) {
    const program = await findPart(name, () => kinds[name].find());
    if (program === undefined) continue;
    names.push(name);
    if (name === 'mongodb') useForMemoryServer(program);
  }
  const chromium = await findPart('chromium', findChromium);
  if (chromium !== undefined) process.env[partVariables.chromium] = chromium;
  // Here, before suites that run side by side build it in the same folder.
  if (chromium !== undefined && dashboardIsStale()) await buildDashboard();
  const services = await startAll(names);
  for (const name of names) process.env[partVariables[name]] = services[name]?.url;
  running.stop = () => stopAll(services);
}

/** The program of a part; undefined, with a line that says how to get it, where it is not installed. */
async function findPart(name: PartName, find: () => string | Promise<string>): Promise<string | undefined> {
  delete process.env[partVariables[name]];
  try {
    return await find();
  } catch (error) {
    const line = `No ${name} for the tests: ${error instanceof Error ? error.message : String(error)}`;
    if (isSet(process.env.CI)) throw new Error(line, { cause: error });
    process.stderr.write(`${line}\n`);
    return undefined;
  }
}

/** Lets mongodb-memory-server start this program; what somebody has set stays. */
function useForMemoryServer(program: string): void {
  process.env.MONGOMS_SYSTEM_BINARY ??= program;
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK ??= 'false';
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false' && value !== '0';
}
