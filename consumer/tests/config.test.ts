import { type Schema } from 'joi';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { readWorkerConfig, workerVariables } from '../config.ts';

const urls = { RABBITMQ_URL: 'amqp://broker', DATABASE_URL: 'mongodb://database/activity_db' };

test('everything but the two URLs has a default', () => {
  expect(readWorkerConfig(urls)).toMatchObject({
    CONSUMER_PORT: 3001,
    CONSUMER_PREFETCH: 1500,
    BATCH_SIZE_MAX: 500,
    WRITES_IN_FLIGHT_MAX: 2,
    RETRY_DELAY_MS: 1000,
    RETRY_BACKOFF_MAX_MS: 5000,
    STORE_TIMEOUT_MS: 10_000,
    WORKER_NAME: expect.stringMatching(/^.+:\d+$/) as string,
  });
});

test('all wrong variables are named at once, and their values are not', () => {
  const wrong = {
    RABBITMQ_URL: 'http://user:secret@broker',
    DATABASE_URL: 'secret',
    CONSUMER_PORT: '70000',
    CONSUMER_PREFETCH: '0',
    BATCH_SIZE_MAX: 'many',
    WRITES_IN_FLIGHT_MAX: '1.5',
    STORE_TIMEOUT_MS: '1',
  };
  let message = '';
  try {
    readWorkerConfig(wrong);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    message = (error as Error).message;
  }
  for (const name of Object.keys(wrong)) expect(message).toContain(name);
  expect(message.split('\n')).toHaveLength(Object.keys(wrong).length);
  expect(message).not.toContain('secret');
});

test('without a queue and a store there is nothing to run', () => {
  expect(() => readWorkerConfig({})).toThrow(/RABBITMQ_URL is required.*\nDATABASE_URL is required/);
});

test('port 0 and a name of one’s own are taken', () => {
  const config = readWorkerConfig({ ...urls, CONSUMER_PORT: '0', WORKER_NAME: 'blue' });
  expect(config).toMatchObject({ CONSUMER_PORT: 0, WORKER_NAME: 'blue' });
});

test('every variable has a description, and every number a unit', () => {
  for (const [name, schema] of Object.entries(workerVariables)) {
    const { type, flags } = (schema as Schema).describe() as {
      type: string;
      flags?: Record<string, unknown>;
    };
    expect([name, flags?.description]).toEqual([name, expect.any(String)]);
    if (type === 'number') expect([name, flags?.unit]).toEqual([name, expect.any(String)]);
  }
});
