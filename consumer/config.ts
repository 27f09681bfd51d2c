import { hostname } from 'node:os';
import {
  commonVariables,
  queueVariables,
  readConfig,
  requireUrls,
  storeVariables,
  type CommonConfig,
  type Environment,
  type QueueConfig,
  type StoreConfig,
  type Variables,
} from '@event-tracker/shared/config';
import Joi from 'joi';

export interface WorkerConfig extends CommonConfig, QueueConfig, StoreConfig {
  CONSUMER_PORT: number;
  CONSUMER_PREFETCH: number;
  BATCH_SIZE_MAX: number;
  WRITES_IN_FLIGHT_MAX: number;
  RETRY_DELAY_MS: number;
  RETRY_BACKOFF_MAX_MS: number;
  STORE_TIMEOUT_MS: number;
  WORKER_NAME: string;
}

export const workerVariables: Variables<WorkerConfig> = {
  ...commonVariables,
  ...queueVariables,
  ...storeVariables,
  CONSUMER_PORT: Joi.number()
    .integer()
    .min(0)
    .max(65_535)
    .default(3001)
    .unit('port')
    .description('Port of the worker’s GET /health, GET /health/ready and GET /metrics; 0 takes a free one'),
  CONSUMER_PREFETCH: Joi.number()
    .integer()
    .min(1)
    .max(65_535)
    .default(1500)
    .unit('messages')
    .description(
      'Most messages that the broker hands out before the first of them is done; from RabbitMQ fewer where they are large, for about 768 KiB',
    ),
  BATCH_SIZE_MAX: Joi.number()
    .integer()
    .min(1)
    .max(10_000)
    .default(500)
    .unit('events')
    .description('Most events that one write to the store carries'),
  WRITES_IN_FLIGHT_MAX: Joi.number()
    .integer()
    .min(1)
    .max(32)
    .default(2)
    .unit('writes')
    .description('Most writes to the store at the same time'),
  RETRY_DELAY_MS: Joi.number()
    .integer()
    .min(1)
    .default(1000)
    .unit('ms')
    .description('A message that failed for an unexpected reason comes back no sooner than this'),
  RETRY_BACKOFF_MAX_MS: Joi.number()
    .integer()
    .min(1)
    .default(5000)
    .unit('ms')
    .description('While the store is away, longest wait before it is tried again'),
  STORE_TIMEOUT_MS: Joi.number()
    .integer()
    .min(100)
    .default(10_000)
    .unit('ms')
    .description(
      'A call to the store that has no answer after this time counts as failed and is tried again',
    ),
  WORKER_NAME: Joi.string()
    .max(128)
    .default(() => `${hostname()}:${process.pid}`)
    .description(
      'Written into the processing metadata of every event. Without it the host name and the process id, `host:1234`',
    ),
};

/** The worker's configuration; throws one ConfigurationError that names every wrong variable. */
export function readWorkerConfig(environment: Environment = process.env): WorkerConfig {
  return readConfig(workerVariables, environment, requireUrls);
}
