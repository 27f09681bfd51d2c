import { kinds, parseServiceNames, serviceNames, startAll, stopAll, type ServiceName } from './start-all.ts';

/** What the programs need; the other brokers and databases stand in for RabbitMQ and MongoDB. */
const usual: ServiceName[] = ['rabbitmq', 'redis', 'mongodb'];

const usage = `npm run services -- up [${serviceNames.join('] [')}]   start these, or ${usual.join(', ')}, until Ctrl-C
npm run services -- check                            what is found, and how to get what is not
npm run services:install                             install what is missing`;

/** The settings by which the API and the worker find each service. */
const settings = {
  rabbitmq: 'RABBITMQ_URL',
  kafka: 'QUEUE_URL',
  redis: 'REDIS_URL',
  mongodb: 'DATABASE_URL',
  postgres: 'STORE_URL',
  mysql: 'STORE_URL',
};
const databases: ServiceName[] = ['mongodb', 'postgres', 'mysql'];

async function main([verb, ...names]: string[]): Promise<void> {
  if (verb === 'up') return up(names);
  if (verb === 'check') return check();
  process.stdout.write(`${usage}\n`);
  if (verb !== undefined && verb !== '--help') process.exitCode = 1;
}

async function up(words: string[]): Promise<void> {
  const names = words.length > 0 ? parseServiceNames(words) : usual;
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  for (const name of names) await kinds[name].find();
  const services = await startAll(names);
  for (const name of names) {
    const database = databases.includes(name) ? '/activity_db' : '';
    process.stdout.write(`export ${settings[name]}=${services[name]?.url ?? ''}${database}\n`);
  }
  process.stderr.write('Running until Ctrl-C; what they hold is removed then.\n');
  await interrupted;
  await stopAll(services);
}

async function check(): Promise<void> {
  for (const name of serviceNames) {
    let found: string;
    try {
      found = await kinds[name].find();
    } catch (error) {
      found = `missing: ${error instanceof Error ? error.message : String(error)}`;
      process.exitCode = 1;
    }
    process.stdout.write(`${name.padEnd(10)}${found}\n`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`services: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
