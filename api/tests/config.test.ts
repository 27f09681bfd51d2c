import { ConfigurationError } from '@event-tracker/shared/errors';
import { type Environment } from '@event-tracker/shared/config';
import { type ApiConfig, apiVariables, readApiConfig } from '../config.ts';

const urls = { RABBITMQ_URL: 'amqp://rabbitmq', DATABASE_URL: 'mongodb://database/activity_db' };
const read = (settings: Environment = {}): ApiConfig => readApiConfig({ ...urls, ...settings });

const TAKES_ANY_TEXT = new Set(['QUEUE_NAME', 'EVENT_TYPES']);

/** The lines of the error that these settings cause. */
function faultsOf(settings: Environment): string[] {
  try {
    readApiConfig(settings);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message.split('\n');
  }
  throw new Error('The settings were taken.');
}

describe('The configuration of the API', () => {
  it('needs the two addresses and nothing else', () => {
    const { RATE_LIMIT_ALLOWLIST, ...config } = read();
    expect(config).toEqual({
      ...urls,
      API_PORT: 3000,
      QUEUE_NAME: 'user_activities',
      QUEUE_TYPE: 'default',
      RATE_LIMIT_MAX_REQUESTS: 50,
      RATE_LIMIT_WINDOW_MS: 60_000,
      RATE_LIMIT_MODE: 'enforce',
      TRUST_PROXY: false,
      CORS_ORIGIN: '*',
      EVENT_TYPES: [],
      BODY_BYTES_MAX: 524_288,
      MESSAGE_EVENTS_MAX: 500,
      PUBLISH_IN_FLIGHT_MAX: 1000,
      PUBLISH_TIMEOUT_MS: 10_000,
      STORE_TIMEOUT_MS: 5000,
      LOG_LEVEL: 'info',
      SHUTDOWN_TIMEOUT_MS: 10_000,
    });
    expect(RATE_LIMIT_ALLOWLIST.rules).toEqual([]);
  });

  it('says what is missing when nothing is set', () => {
    expect(faultsOf({})).toEqual([
      expect.stringMatching(/^RABBITMQ_URL is required.*QUEUE_URL/),
      expect.stringMatching(/^DATABASE_URL is required.*STORE_URL/),
    ]);
  });

  it('takes the general names of the addresses as well', () => {
    expect(() =>
      readApiConfig({ QUEUE_URL: 'mongodb://database', STORE_URL: 'mongodb+srv://database.example' }),
    ).not.toThrow();
  });

  it('counts a blank variable as absent', () => {
    const blank: Environment = Object.fromEntries(Object.keys(apiVariables).map((name) => [name, '  ']));
    const config = read({ ...blank, ...urls });
    expect(JSON.stringify(config)).toBe(JSON.stringify(read()));
    expect(config).not.toHaveProperty('ADMIN_KEY');
    expect(config).not.toHaveProperty('REDIS_URL');
  });

  it('leaves variables of other programs alone', () => {
    expect(read({ PATH: '/bin', API_PORTS: 'x' })).not.toHaveProperty('PATH');
  });

  it('ignores blanks around a value', () => {
    expect(read({ API_PORT: ' 8080 ', RATE_LIMIT_MODE: 'off\n' })).toMatchObject({
      API_PORT: 8080,
      RATE_LIMIT_MODE: 'off',
    });
  });

  it.each([
    ['API_PORT', '0', 0],
    ['API_PORT', '65535', 65_535],
    ['RATE_LIMIT_MAX_REQUESTS', '1', 1],
    ['RATE_LIMIT_WINDOW_MS', '2147483647', 2_147_483_647],
    ['RATE_LIMIT_MODE', 'observe', 'observe'],
    ['REDIS_URL', 'redis://redis:6379', 'redis://redis:6379'],
    ['REDIS_URL', 'rediss://:secret@redis:6379/1', 'rediss://:secret@redis:6379/1'],
    ['RABBITMQ_URL', 'amqps://u:p@rabbitmq:5671/vhost', 'amqps://u:p@rabbitmq:5671/vhost'],
    [
      'DATABASE_URL',
      'mongodb://a:1,b:2,c:3/activity_db?replicaSet=rs',
      'mongodb://a:1,b:2,c:3/activity_db?replicaSet=rs',
    ],
    ['TRUST_PROXY', '1', 1],
    ['TRUST_PROXY', '3', 3],
    ['TRUST_PROXY', 'loopback', ['loopback']],
    ['TRUST_PROXY', 'loopback, 10.0.0.0/8,2001:db8::1', ['loopback', '10.0.0.0/8', '2001:db8::1']],
    ['CORS_ORIGIN', '*', '*'],
    [
      'CORS_ORIGIN',
      'https://shop.example, http://localhost:5173',
      ['https://shop.example', 'http://localhost:5173'],
    ],
    ['EVENT_TYPES', 'LOGIN, LOGOUT,PRODUCT_VIEW', ['LOGIN', 'LOGOUT', 'PRODUCT_VIEW']],
    ['BODY_BYTES_MAX', '1024', 1024],
    ['ADMIN_KEY', 'sixteen-letters!', 'sixteen-letters!'],
    ['QUEUE_TYPE', 'quorum', 'quorum'],
  ])('takes %s=%s', (name, text, value) => {
    expect(read({ [name]: text })).toMatchObject({ [name]: value });
  });

  it.each([
    ['API_PORT', '65536'],
    ['API_PORT', '-1'],
    ['API_PORT', 'http'],
    ['API_PORT', '3000.5'],
    ['RATE_LIMIT_MAX_REQUESTS', '0'],
    ['RATE_LIMIT_MAX_REQUESTS', '1.5'],
    ['RATE_LIMIT_MAX_REQUESTS', 'many'],
    ['RATE_LIMIT_WINDOW_MS', '0'],
    ['RATE_LIMIT_WINDOW_MS', '2147483648'],
    ['RATE_LIMIT_WINDOW_MS', '1m'],
    ['RATE_LIMIT_MODE', 'on'],
    ['REDIS_URL', 'localhost:6379'],
    ['REDIS_URL', 'http://redis'],
    ['REDIS_URL', 'redis://'],
    ['RABBITMQ_URL', 'http://rabbitmq'],
    ['QUEUE_URL', 'nats://queue'],
    ['DATABASE_URL', 'database:27017'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', 'false'],
    ['TRUST_PROXY', '0'],
    ['TRUST_PROXY', '-1'],
    ['TRUST_PROXY', '1.5'],
    ['TRUST_PROXY', 'everyone'],
    ['TRUST_PROXY', 'true,10.0.0.0/8'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['RATE_LIMIT_ALLOWLIST', 'localhost'],
    ['RATE_LIMIT_ALLOWLIST', '10.0.0.0/33'],
    ['RATE_LIMIT_ALLOWLIST', '2001:db8::/129'],
    ['RATE_LIMIT_ALLOWLIST', '10.0.0.0/'],
    ['RATE_LIMIT_ALLOWLIST', '10.0.0.0/8/8'],
    ['RATE_LIMIT_ALLOWLIST', '10.0.0.0/-1'],
    ['RATE_LIMIT_ALLOWLIST', '10.0.0.1,'],
    ['RATE_LIMIT_ALLOWLIST', '10.0.0'],
    ['CORS_ORIGIN', 'shop.example'],
    ['CORS_ORIGIN', 'https://shop.example/'],
    ['CORS_ORIGIN', 'https://shop.example/path'],
    ['CORS_ORIGIN', '*,https://shop.example'],
    ['EVENT_TYPES', 'LOGIN,,LOGOUT'],
    ['EVENT_TYPES', `LOGIN,${'x'.repeat(129)}`],
    ['BODY_BYTES_MAX', '1023'],
    ['BODY_BYTES_MAX', '8388609'],
    ['PUBLISH_IN_FLIGHT_MAX', '0'],
    ['PUBLISH_TIMEOUT_MS', '0'],
    ['STORE_TIMEOUT_MS', '0'],
    ['ADMIN_KEY', 'fifteen-letters'],
    ['QUEUE_TYPE', 'classic'],
    ['LOG_LEVEL', 'verbose'],
    ['SHUTDOWN_TIMEOUT_MS', '99'],
  ])('refuses %s=%s with one line that begins with the name', (name, text) => {
    expect(faultsOf({ ...urls, [name]: text })).toEqual([expect.stringMatching(new RegExp(`^${name} \\S`))]);
  });

  it('says why TRUST_PROXY must not be true', () => {
    expect(faultsOf({ ...urls, TRUST_PROXY: 'true' })).toEqual([expect.stringContaining('forge')]);
  });

  it('names every wrong variable at once', () => {
    const wrong = {
      API_PORT: 'x',
      REDIS_URL: 'x',
      TRUST_PROXY: 'true',
      ADMIN_KEY: 'x',
      RATE_LIMIT_ALLOWLIST: 'x',
    };
    const names = faultsOf({ ...urls, ...wrong }).map((line) => line.split(' ')[0]);
    expect(names.sort()).toEqual(Object.keys(wrong).sort());
  });

  it('repeats no value, since it may be a secret', () => {
    const wrong = Object.keys(apiVariables).filter((name) => !TAKES_ANY_TEXT.has(name));
    const message = faultsOf(Object.fromEntries(wrong.map((name) => [name, 'Passw0rd']))).join('\n');
    expect(message).not.toContain('Passw0rd');
    for (const name of wrong) expect(message).toContain(name);
  });

  it.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['10.0.0.0/8', '10.255.0.1', true],
    ['0.0.0.0/0', '203.0.113.7', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::1', '2001:db8::2', false],
    ['192.0.2.1, 2001:db8::1', '2001:db8::1', true],
  ])('reads the allowlist %s: %s is in it: %p', (list, address, isListed) => {
    const { RATE_LIMIT_ALLOWLIST: addresses } = read({ RATE_LIMIT_ALLOWLIST: list });
    expect(addresses.check(address, address.includes(':') ? 'ipv6' : 'ipv4')).toBe(isListed);
  });
});
