import { kinds, parseServiceNames, startAll, stopAll, type ServiceName } from './start-all.ts';
import { running, urlVariables } from './in-tests.ts';

/**
 * Starts RabbitMQ, Kafka, Redis and the databases once for a run of Jest, side by side; `TEST_SERVICES=none` or
 * `TEST_SERVICES=redis,mongodb` starts fewer. Where a program is not installed the suites that need it skip themselves, except in CI.
 */
export default async function setup(): Promise<void> {
  const names: ServiceName[] = [];
  for (const name of parseServiceNames([process.env.TEST_SERVICES ?? ''])) {
    delete process.env[urlVariables[name]];
    try {
      const program = await kinds[name].find();
      names.push(name);
      if (name === 'mongodb') useForMemoryServer(program);
    } catch (error) {
      const line = `No ${name} for the tests: ${error instanceof Error ? error.message : String(error)}`;
      if (isSet(process.env.CI)) throw new Error(line, { cause: error });
      process.stderr.write(`${line}\n`);
    }
  }
  const services = await startAll(names);
  for (const name of names) process.env[urlVariables[name]] = services[name]?.url;
  running.stop = () => stopAll(services);
}

/** Lets mongodb-memory-server start this program; what somebody has set stays. */
function useForMemoryServer(program: string): void {
  process.env.MONGOMS_SYSTEM_BINARY ??= program;
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK ??= 'false';
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false' && value !== '0';
}
