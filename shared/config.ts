import Joi from 'joi';
import { ConfigurationError } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The rules of one service: each key is an environment variable with its default, unit and meaning. */
export type Variables<T> = { [K in keyof T]-?: Joi.Schema };

export interface CommonConfig {
  LOG_LEVEL: string;
  SHUTDOWN_TIMEOUT_MS: number;
}

export const commonVariables: Variables<CommonConfig> = {
  LOG_LEVEL: Joi.string()
    .valid('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent')
    .default('info')
    .description('Least severe log entries to write'),
  SHUTDOWN_TIMEOUT_MS: Joi.number()
    .integer()
    .min(100)
    .default(10_000)
    .unit('ms')
    .description('After SIGTERM, time for finishing what is in flight before the process ends all the same'),
};

export interface QueueConfig {
  QUEUE_URL?: string;
  RABBITMQ_URL?: string;
  QUEUE_NAME: string;
  QUEUE_TYPE: 'default' | 'quorum';
}

export const queueVariables: Variables<QueueConfig> = {
  QUEUE_URL: url('amqp', 'amqps', 'kafka', 'kafkas', 'mongodb', 'mongodb+srv')
    .example('amqp://guest:guest@localhost:5672')
    .description(
      'Where events are queued; the scheme picks the driver. Kafka: `kafka://host:port,host:port`, `kafkas://` for TLS, with `user:password@` and the options `saslMechanism`, `partitions` and `replicationFactor`. Wins over RABBITMQ_URL',
    ),
  RABBITMQ_URL: url('amqp', 'amqps')
    .example('amqp://guest:guest@localhost:5672')
    .description('The RabbitMQ broker. This or QUEUE_URL must be set'),
  QUEUE_NAME: Joi.string()
    .max(255)
    .default('user_activities')
    .description('Name of the queue, or of the topic in Kafka'),
  QUEUE_TYPE: Joi.string()
    .valid('default', 'quorum')
    .default('default')
    .description(
      '`default` declares the queue plainly and takes the broker’s default type; `quorum` asks for a quorum queue',
    ),
};

export interface StoreConfig {
  STORE_URL?: string;
  DATABASE_URL?: string;
}

const storeSchemes = ['mongodb', 'mongodb+srv', 'postgres', 'postgresql', 'mysql'];

export const storeVariables: Variables<StoreConfig> = {
  STORE_URL: url(...storeSchemes)
    .example('mongodb://localhost:27017/activity_db')
    .description('Where events are stored; the scheme picks the driver. Wins over DATABASE_URL'),
  DATABASE_URL: url(...storeSchemes)
    .example('mongodb://user:password@database:27017/activity_db?authSource=admin')
    .description('The database: MongoDB, PostgreSQL or MySQL. This or STORE_URL must be set'),
};

/** A connection URL of one of these schemes. Its value is a secret: no message repeats it. */
export function url(...schemes: string[]): Joi.StringSchema {
  const pattern = new RegExp(`^(?:${schemes.map((scheme) => scheme.replace('+', '\\+')).join('|')})://.+`);
  return Joi.string()
    .custom((value: string, helpers) => (pattern.test(value) ? value : helpers.error('url')))
    .messages({
      url: `must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    })
    .meta({ schemes })
    .unit('URL');
}

/**
 * Reads the variables of one service out of an environment. A blank variable counts as absent, other variables are
 * left alone. Throws one ConfigurationError that names every wrong variable; values are never repeated in it.
 */
export function readConfig<T>(
  variables: Variables<T>,
  environment: Environment,
  rule?: (config: T) => string[],
): T {
  const given = Object.keys(variables).flatMap((name) => {
    const value = environment[name]?.trim();
    return value ? [[name, value]] : [];
  });
  const result = Joi.object<T>(variables).validate(Object.fromEntries(given), {
    abortEarly: false,
    errors: { wrap: { label: false } },
  });
  const faults = [...(result.error?.details.map(asFault) ?? []), ...(rule?.(result.value as T) ?? [])];
  if (faults.length > 0) throw new ConfigurationError(faults.join('\n'));
  return result.value as T;
}

function asFault({ type, path, message }: Joi.ValidationErrorItem): string {
  return type === 'url' ? `${path.join()} ${message}` : message;
}

/** The URL of the queue, whichever name it was given under. */
export function queueUrl({ QUEUE_URL, RABBITMQ_URL }: QueueConfig): string {
  return QUEUE_URL ?? RABBITMQ_URL ?? '';
}

/** The URL of the store, whichever name it was given under. */
export function storeUrl({ STORE_URL, DATABASE_URL }: StoreConfig): string {
  return STORE_URL ?? DATABASE_URL ?? '';
}

/** The rule that both services share: without a queue and a store there is nothing to run. */
export function requireUrls(config: QueueConfig & StoreConfig): string[] {
  const faults: string[] = [];
  if (!queueUrl(config))
    faults.push('RABBITMQ_URL is required: set it, or QUEUE_URL, to the URL of the queue');
  if (!storeUrl(config))
    faults.push('DATABASE_URL is required: set it, or STORE_URL, to the URL of the database');
  return faults;
}
