import { type SASLOptions } from 'kafkajs';
import { ConfigurationError } from '../errors.ts';

const PORT = '9092';
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
/** Without a number in the URL a topic is created with so many partitions: so many workers can share it. */
const PARTITIONS = 6;
const OPTIONS = ['partitions', 'replicationFactor', 'saslMechanism'];

export interface KafkaUrl {
  brokers: string[];
  ssl: boolean;
  sasl: SASLOptions | undefined;
  /** Of a topic that has to be created. */
  partitions: number;
  /** The same; undefined leaves it to the broker's default. */
  replicationFactor: number | undefined;
}

/**
 * `kafka://host:port,host:port`, or `kafkas://` over TLS; `user:password@` for SASL, with `?saslMechanism=plain`
 * (the default), `scram-sha-256` or `scram-sha-512`. `?partitions=` and `?replicationFactor=` are for a topic that does
 * not exist yet. A certificate authority of one's own is given to Node.js with NODE_EXTRA_CA_CERTS.
 */
export function parseKafkaUrl(url: string): KafkaUrl {
  const [, scheme, credentials, hosts = '', query] =
    /^(kafkas?):\/\/(?:([^@/?]*)@)?([^@/?]*)\/?(?:\?(.*))?$/.exec(url) ?? [];
  const brokers = hosts.split(',').map((host) => (host.includes(':') ? host : `${host}:${PORT}`));
  if (!brokers.every((broker) => /^[\w.-]+:\d{1,5}$/.test(broker))) {
    throw fault('is not of the form kafka://user:password@host:port,host:port; write special characters in the user name or password as %40 and so on'); // prettier-ignore
  }
  const options = new URLSearchParams(query);
  for (const name of options.keys()) {
    if (!OPTIONS.includes(name)) throw fault(`has an unknown option; there are ${OPTIONS.join(', ')}`);
  }
  return {
    brokers,
    ssl: scheme === 'kafkas',
    sasl: saslOf(credentials, options.get('saslMechanism')),
    partitions: countOf(options, 'partitions') ?? PARTITIONS,
    replicationFactor: countOf(options, 'replicationFactor'),
  };
}

function saslOf(credentials: string | undefined, mechanism: string | null): SASLOptions | undefined {
  const known = MECHANISMS.find((each) => each === (mechanism ?? MECHANISMS[0]));
  if (!known) throw fault(`saslMechanism must be one of ${MECHANISMS.join(', ')}`);
  if (credentials === undefined && mechanism === null) return undefined;
  const [, username, password] = /^([^:]+):(.+)$/.exec(credentials ?? '') ?? [];
  try {
    if (username && password)
      return { mechanism: known, username: decodeURIComponent(username), password: decodeURIComponent(password) }; // prettier-ignore
  } catch {
    // A stray %.
  }
  throw fault('needs user:password@ before the hosts, with special characters as %40 and so on');
}

function countOf(options: URLSearchParams, name: string): number | undefined {
  const value = options.get(name);
  if (value === null) return undefined;
  if (!/^[1-9]\d{0,3}$/.test(value)) throw fault(`${name} must be a whole number from 1 to 9999`);
  return Number(value);
}

function fault(words: string): ConfigurationError {
  return new ConfigurationError(`QUEUE_URL: ${words}`);
}
