import { mongodBinary } from '../mongod/find.ts';
import { startMongod } from '../mongod/start.ts';
import { findMariadb, findPostgres, findRabbitmq, findRedis } from './find.ts';
import { findKafka } from './kafka-jars.ts';
import { startKafka } from './kafka.ts';
import { startMysql } from './mysql.ts';
import { startPostgres } from './postgres.ts';
import { startRabbitmq } from './rabbitmq.ts';
import { startRedis } from './redis.ts';
import { type Service } from './service.ts';

/** What the tests and local work need beside Node. */
export const serviceNames = ['rabbitmq', 'redis', 'mongodb', 'kafka', 'postgres', 'mysql'] as const;
export type ServiceName = (typeof serviceNames)[number];

interface Kind {
  /** The program that is used; throws one line that says how to get it. */
  find(): string | Promise<string>;
  start(): Promise<Service>;
}

export const kinds: Record<ServiceName, Kind> = {
  rabbitmq: { find: () => findRabbitmq().server, start: startRabbitmq },
  redis: { find: findRedis, start: startRedis },
  mongodb: { find: mongodBinary, start: startMongod },
  kafka: { find: findKafka, start: startKafka },
  postgres: { find: () => findPostgres().postgres, start: startPostgres },
  mysql: { find: () => findMariadb().server, start: startMysql },
};

/** Starts them side by side; when one does not come up, the others are ended and its error is thrown. */
export async function startAll(
  names: readonly ServiceName[],
): Promise<Partial<Record<ServiceName, Service>>> {
  const results = await Promise.allSettled(names.map((name) => kinds[name].start()));
  const services: Partial<Record<ServiceName, Service>> = {};
  results.forEach((result, index) => {
    const name = names[index];
    if (name !== undefined && result.status === 'fulfilled') services[name] = result.value;
  });
  const failure = results.find((result) => result.status === 'rejected');
  if (failure === undefined) return services;
  await stopAll(services);
  throw failure.reason;
}

export async function stopAll(services: Partial<Record<ServiceName, Service>>): Promise<void> {
  await Promise.all(Object.values(services).map((service) => service.stop()));
}

/** `rabbitmq,redis`, `none`, or nothing for all. */
export function parseServiceNames(words: readonly string[]): ServiceName[] {
  const names = words.flatMap((word) => word.split(',')).filter((word) => word !== '');
  if (names.length === 0) return [...serviceNames];
  return names.flatMap((name) => {
    if (name === 'none') return [];
    const known = serviceNames.find((service) => service === name);
    if (known === undefined) throw new Error(`"${name}" is none of ${serviceNames.join(', ')}, none`);
    return [known];
  });
}
