import {
  KafkaJSAggregateError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
} from 'kafkajs';
import { ConfigurationError } from '../errors.ts';
import { configurationFault } from '../queue/kafka-connection.ts';
import { parseKafkaUrl } from '../queue/kafka-url.ts';

describe('Kafka URL', () => {
  test('names several brokers, the port being 9092 unless it is given', () => {
    expect(parseKafkaUrl('kafka://one,two.example:19092')).toEqual({
      brokers: ['one:9092', 'two.example:19092'],
      ssl: false,
      sasl: undefined,
      partitions: 6,
      replicationFactor: undefined,
    });
  });

  test('has user and password, TLS, and what a new topic is created with', () => {
    const url =
      'kafkas://al%40ice:p%3Aw%2F@h:1,i:2/?saslMechanism=scram-sha-512&partitions=12&replicationFactor=3';
    expect(parseKafkaUrl(url)).toEqual({
      brokers: ['h:1', 'i:2'],
      ssl: true,
      sasl: { mechanism: 'scram-sha-512', username: 'al@ice', password: 'p:w/' },
      partitions: 12,
      replicationFactor: 3,
    });
    expect(parseKafkaUrl('kafka://alice:secret@h').sasl).toMatchObject({ mechanism: 'plain' });
  });

  test.each([
    ['kafka://', 'is not of the form'],
    ['kafka://host:port', 'is not of the form'],
    ['kafka://host:1,,other:2', 'is not of the form'],
    ['kafka://host:1/path', 'is not of the form'],
    ['kafka://secret@host:1', 'user:password@'],
    ['kafka://user:sec%ret@host:1', 'user:password@'],
    ['kafka://host:1?saslMechanism=plain', 'user:password@'],
    ['kafka://user:secret@host:1?saslMechanism=gssapi', 'saslMechanism must be one of'],
    ['kafka://host:1?partitions=0', 'partitions must be'],
    ['kafka://host:1?replicationFactor=three', 'replicationFactor must be'],
    ['kafka://host:1?secret=1', 'unknown option'],
  ])('%s is refused, and what is in it not repeated', (url, words) => {
    const parse = () => parseKafkaUrl(url);
    expect(parse).toThrow(ConfigurationError);
    expect(parse).toThrow(words);
    expect(parse).toThrow(/^QUEUE_URL: (?!.*secret)/);
  });
});

describe('what a setting is to blame for', () => {
  // Its type takes no arguments, and its constructor throws without one.
  const refused = Reflect.construct(KafkaJSSASLAuthenticationError, ['no']) as Error;
  const ofType = (type: string) => Object.assign(new Error(type.toLowerCase()), { type });

  test.each([
    ['the password', refused, 'refuses the user or the password'],
    [
      'a broker too old',
      new KafkaJSServerDoesNotSupportApiKey('no', { apiKey: 0, apiName: 'Produce' }),
      'of a version that cannot be used',
    ],
    ['rights', ofType('TOPIC_AUTHORIZATION_FAILED'), 'may not use or create topic activities'],
    [
      'brokers too few',
      new KafkaJSAggregateError('no', [ofType('INVALID_REPLICATION_FACTOR')]),
      'cannot be created',
    ],
    ['what lies beneath', new Error('wrapped', { cause: refused }), 'password'],
  ])('%s', (_name, error, words) => {
    const fault = configurationFault(error, 'activities');
    expect(fault).toBeInstanceOf(ConfigurationError);
    expect(fault?.message).toMatch(/^QUEUE_URL: /);
    expect(fault?.message).toContain(words);
  });

  test('a broker that is away is nobody’s fault', () => {
    expect(configurationFault(new Error('connect ECONNREFUSED'), 'activities')).toBeUndefined();
  });
});
