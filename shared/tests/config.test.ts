import Joi from 'joi';
import {
  commonVariables,
  queueUrl,
  queueVariables,
  readConfig,
  requireUrls,
  storeUrl,
  storeVariables,
  url,
  type CommonConfig,
  type Environment,
  type QueueConfig,
  type StoreConfig,
} from '../config.ts';
import { ConfigurationError } from '../errors.ts';

type Config = CommonConfig & QueueConfig & StoreConfig;
const variables = { ...commonVariables, ...queueVariables, ...storeVariables };
const urls = { RABBITMQ_URL: 'amqp://broker', DATABASE_URL: 'mongodb://database/activity_db' };

const read = (environment: Environment) => readConfig<Config>(variables, environment, requireUrls);

/** The lines of the error that reading throws. */
function faults(environment: Environment): string[] {
  try {
    read(environment);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message.split('\n');
  }
  return [];
}

describe('readConfig', () => {
  test('what is not set has its default', () => {
    expect(read(urls)).toEqual({
      ...urls,
      LOG_LEVEL: 'info',
      SHUTDOWN_TIMEOUT_MS: 10_000,
      QUEUE_NAME: 'user_activities',
      QUEUE_TYPE: 'default',
    });
  });

  test.each(['', ' ', '\t\n'])('a blank variable (%j) counts as absent', (blank) => {
    expect(read({ ...urls, LOG_LEVEL: blank, SHUTDOWN_TIMEOUT_MS: blank, QUEUE_URL: blank })).toEqual(
      read(urls),
    );
  });

  test('space around a value does not count', () => {
    expect(read({ ...urls, LOG_LEVEL: ' debug ', SHUTDOWN_TIMEOUT_MS: '500\n' })).toMatchObject({
      LOG_LEVEL: 'debug',
      SHUTDOWN_TIMEOUT_MS: 500,
    });
  });

  test('variables of others are left alone', () => {
    const config = read({ ...urls, PATH: '/bin', HOME: '', npm_config_x: '\0' });
    expect(Object.keys(config)).not.toContain('PATH');
  });

  test.each([
    ['LOG_LEVEL', 'trace'],
    ['LOG_LEVEL', 'silent'],
    ['SHUTDOWN_TIMEOUT_MS', '100'],
    ['SHUTDOWN_TIMEOUT_MS', '1e4'],
    ['QUEUE_NAME', 'x'.repeat(255)],
    ['QUEUE_TYPE', 'quorum'],
    ['QUEUE_URL', 'amqps://user:p%40ss@broker:5671/vhost?heartbeat=5'],
    ['QUEUE_URL', 'kafkas://user:p%40ss@one:9093,two:9093?saslMechanism=plain'],
    ['QUEUE_URL', 'mongodb://a:1,b:2,c/queue?replicaSet=rs'],
    ['QUEUE_URL', 'mongodb+srv://cluster/queue'],
    ['STORE_URL', 'mongodb://user:password@a:1,b:2/activity_db?authSource=admin'],
    ['STORE_URL', 'postgres://user:p%40ss@host:5432/activity_db'],
    ['DATABASE_URL', 'postgresql://host/activity_db?sslmode=require'],
    ['DATABASE_URL', 'mysql://user:password@host:3306/activity_db'],
  ])('%s may be %s', (name, value) => {
    expect(faults({ ...urls, [name]: value })).toEqual([]);
  });

  test.each([
    ['LOG_LEVEL', 'verbose'],
    ['LOG_LEVEL', 'INFO'],
    ['SHUTDOWN_TIMEOUT_MS', '99'],
    ['SHUTDOWN_TIMEOUT_MS', '100.5'],
    ['SHUTDOWN_TIMEOUT_MS', '-1'],
    ['SHUTDOWN_TIMEOUT_MS', '10s'],
    ['SHUTDOWN_TIMEOUT_MS', 'Infinity'],
    ['QUEUE_NAME', 'x'.repeat(256)],
    ['QUEUE_TYPE', 'classic'],
    ['QUEUE_URL', 'broker:5672'],
    ['QUEUE_URL', 'http://s3cret@broker'],
    ['QUEUE_URL', 'AMQP://s3cret@broker'],
    ['QUEUE_URL', 'amqp://'],
    ['QUEUE_URL', 'xamqp://s3cret'],
    ['RABBITMQ_URL', 'mongodb://s3cret@database'],
    ['DATABASE_URL', 'mongodbs://s3cret@database'],
    ['STORE_URL', 'amqp://s3cret@database'],
    ['STORE_URL', 'mssql://s3cret@database'],
    ['QUEUE_URL', 'postgres://s3cret@database'],
  ])('%s must not be %s', (name, value) => {
    const lines = faults({ ...urls, [name]: value });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`^${name} `));
  });

  test('every fault is named at once, each in its line, and no value is repeated', () => {
    const lines = faults({
      QUEUE_URL: 's3cret://user:s3cret@broker',
      STORE_URL: 's3cret',
      LOG_LEVEL: 's3cret',
      SHUTDOWN_TIMEOUT_MS: 's3cret',
      QUEUE_TYPE: 's3cret',
    });
    expect(lines.map((line) => line.split(' ')[0]).toSorted()).toEqual([
      'LOG_LEVEL',
      'QUEUE_TYPE',
      'QUEUE_URL',
      'SHUTDOWN_TIMEOUT_MS',
      'STORE_URL',
    ]);
    expect(lines.join('\n')).not.toContain('s3cret');
  });

  test('a queue and a store are required, and what is wrong beside them is named too', () => {
    expect(faults({ LOG_LEVEL: 'verbose' }).map((line) => line.split(' ')[0])).toEqual([
      'LOG_LEVEL',
      'RABBITMQ_URL',
      'DATABASE_URL',
    ]);
  });

  test('a rule of the service has its say', () => {
    const rule = ({ PORT }: { PORT: number }) => (PORT === 81 ? ['PORT must not be 81'] : []);
    const variables = { PORT: Joi.number() };
    expect(readConfig(variables, { PORT: '80' }, rule)).toEqual({ PORT: 80 });
    expect(() => readConfig(variables, { PORT: '81' }, rule)).toThrow('PORT must not be 81');
  });
});

describe('queueUrl and storeUrl', () => {
  test('the newer name wins', () => {
    const config = read({ ...urls, QUEUE_URL: 'mongodb://queue', STORE_URL: 'mongodb://store' });
    expect([queueUrl(config), storeUrl(config)]).toEqual(['mongodb://queue', 'mongodb://store']);
  });

  test('the older name does alone', () => {
    expect([queueUrl(read(urls)), storeUrl(read(urls))]).toEqual([urls.RABBITMQ_URL, urls.DATABASE_URL]);
  });
});

describe('url', () => {
  test('a fault names the schemes, in words that can be used', () => {
    const variables = { CACHE_URL: url('redis', 'rediss') };
    expect(() => readConfig(variables, { CACHE_URL: 'http://cache' })).toThrow(
      /^CACHE_URL must be a URL that starts with redis:\/\/ or rediss:\/\/$/,
    );
  });
});
