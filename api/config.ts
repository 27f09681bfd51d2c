import { BlockList, isIP } from 'node:net';
import Joi from 'joi';
import {
  type CommonConfig,
  commonVariables,
  type Environment,
  type QueueConfig,
  queueVariables,
  readConfig,
  requireUrls,
  type StoreConfig,
  storeVariables,
  url,
  type Variables,
} from '@event-tracker/shared/config';
import { EVENT_TYPE_LENGTH_MAX } from '@event-tracker/shared/event';

export interface ApiConfig extends CommonConfig, QueueConfig, StoreConfig {
  API_PORT: number;
  REDIS_URL?: string;
  RATE_LIMIT_MAX_REQUESTS: number;
  RATE_LIMIT_WINDOW_MS: number;
  RATE_LIMIT_MODE: 'enforce' | 'observe' | 'off';
  RATE_LIMIT_ALLOWLIST: BlockList;
  TRUST_PROXY: false | number | string[];
  CORS_ORIGIN: '*' | string[];
  EVENT_TYPES: string[];
  BODY_BYTES_MAX: number;
  MESSAGE_EVENTS_MAX: number;
  PUBLISH_IN_FLIGHT_MAX: number;
  PUBLISH_TIMEOUT_MS: number;
  STORE_TIMEOUT_MS: number;
  ADMIN_KEY?: string;
}

const PROXY_NAMES = new Set(['loopback', 'linklocal', 'uniquelocal']);

export const apiVariables: Variables<ApiConfig> = {
  API_PORT: Joi.number().port().default(3000).description('TCP port of the API; 0 takes a free one'),
  ...queueVariables,
  ...storeVariables,
  REDIS_URL: url('redis', 'rediss')
    .example('redis://localhost:6379')
    .description(
      'Where all API processes count requests together. Without it each process counts on its own',
    ),
  RATE_LIMIT_MAX_REQUESTS: Joi.number()
    .integer()
    .min(1)
    .default(50)
    .description('Requests that one address may send in a window; an IPv6 address counts by its /64 network'),
  RATE_LIMIT_WINDOW_MS: Joi.number()
    .integer()
    .min(1)
    .max(2 ** 31 - 1)
    .default(60_000)
    .unit('ms')
    .description('Length of a window; it starts with the first request of an address'),
  RATE_LIMIT_MODE: Joi.string()
    .valid('enforce', 'observe', 'off')
    .default('enforce')
    .description('`observe` counts and logs whom it would refuse, and lets everything through'),
  RATE_LIMIT_ALLOWLIST: list(parseAddresses)
    .default(() => new BlockList())
    .example('10.0.0.0/8,2001:db8::/32')
    .description('Addresses and CIDR networks, by commas, that are never limited'),
  TRUST_PROXY: Joi.alternatives(Joi.number().integer().min(1), list(parseProxies))
    .default(false)
    .example('1')
    .description(
      'Whose X-Forwarded-For to believe: the number of proxies in front of the API, or their addresses and networks by commas (`loopback`, `linklocal` and `uniquelocal` are known). Without it nobody’s',
    ),
  CORS_ORIGIN: Joi.alternatives(Joi.string().valid('*'), list(parseOrigins))
    .default('*')
    .description(
      'Origins whose pages may send events, by commas, or `*`. Reads are never open to other origins',
    ),
  EVENT_TYPES: list(parseEventTypes)
    .default(() => [])
    .example('LOGIN,LOGOUT,PRODUCT_VIEW')
    .description('Event types that `POST /events/generate` takes, by commas. Without it any'),
  BODY_BYTES_MAX: Joi.number()
    .integer()
    .min(1024)
    .max(8 * 1024 * 1024)
    .default(512 * 1024)
    .unit('bytes')
    .description('Largest request body, counted after inflating'),
  MESSAGE_EVENTS_MAX: Joi.number()
    .integer()
    .min(1)
    .max(10_000)
    .default(500)
    .unit('events')
    .description(
      'Most events of one message. Requests that arrive together share a message, as a JSON array, and a batch may be one as it was sent; with 1 each event is a message of its own, for other programs that read the queue',
    ),
  PUBLISH_IN_FLIGHT_MAX: Joi.number()
    .integer()
    .min(1)
    .default(1000)
    .unit('requests')
    .description(
      'Requests that may wait for the broker’s confirmation, with 8 MiB of events at most; past it the answer is 503',
    ),
  PUBLISH_TIMEOUT_MS: Joi.number()
    .integer()
    .min(1)
    .default(10_000)
    .unit('ms')
    .description('How long the broker may take to confirm an event before the answer is 503'),
  STORE_TIMEOUT_MS: Joi.number()
    .integer()
    .min(1)
    .default(5000)
    .unit('ms')
    .description('How long a read may take before the answer is 503'),
  ADMIN_KEY: Joi.string()
    .min(16)
    .messages({ 'string.min': '{#label} must be at least 16 characters long' })
    .meta({ secret: true })
    .description(
      'Bearer token for reads and dead letters. Without it they answer only to requests from the machine itself',
    ),
  ...commonVariables,
};

/** Reads the API's configuration; throws ConfigurationError that names every wrong variable. */
export function readApiConfig(environment: Environment = process.env): ApiConfig {
  return readConfig(apiVariables, environment, requireUrls);
}

/** A list by commas, read by `parse`, whose error message says what an item has to look like. */
function list<T>(parse: (items: string[]) => T): Joi.AnySchema {
  return Joi.string().custom((text: string, helpers) => {
    try {
      return parse(text.split(',').map((item) => item.trim()));
    } catch (error) {
      return helpers.message({ custom: `{#label} ${(error as Error).message}` });
    }
  });
}

function parseAddresses(items: string[]): BlockList {
  const addresses = new BlockList();
  for (const item of items) {
    const [address = '', prefix, ...rest] = item.split('/');
    const family = addressFamily(address);
    const bits = Number(prefix ?? (family === 'ipv4' ? 32 : 128));
    const isNumber = prefix === undefined || /^\d+$/.test(prefix);
    if (!family || !isNumber || rest.length > 0 || bits > (family === 'ipv4' ? 32 : 128)) {
      throw new Error('must be IP addresses or CIDR networks such as 10.0.0.0/8, separated by commas');
    }
    addresses.addSubnet(address, bits, family);
  }
  return addresses;
}

function parseProxies(items: string[]): string[] {
  if (items.join() === 'true') {
    throw new Error(
      'must not be true: everyone could forge an address then. Give the number of proxies or their addresses',
    );
  }
  const networks = items.filter((item) => !PROXY_NAMES.has(item));
  try {
    parseAddresses(networks);
  } catch {
    throw new Error(
      'must be a number of proxies of at least 1, or their IP addresses or CIDR networks, separated by commas',
    );
  }
  return items;
}

function parseOrigins(items: string[]): string[] {
  for (const item of items) {
    if (!URL.canParse(item) || new URL(item).origin !== item) {
      throw new Error(
        'must be * or origins such as https://shop.example, separated by commas, without a path',
      );
    }
  }
  return items;
}

function parseEventTypes(items: string[]): string[] {
  if (items.some((item) => item.length === 0 || item.length > EVENT_TYPE_LENGTH_MAX)) {
    throw new Error(`must be event types of 1 to ${EVENT_TYPE_LENGTH_MAX} characters, separated by commas`);
  }
  return items;
}

function addressFamily(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `ipv${version as 4 | 6}`;
}
