import { type RecoveringChannelModel } from 'amqplib';
import { ConfigurationError } from '../errors.ts';

/** A broker that hangs is given up after two to three intervals. A heartbeat in the URL wins. */
const HEARTBEAT_S = 10;

export function withHeartbeat(url: string): string {
  if (!URL.canParse(url)) {
    throw new ConfigurationError(
      'QUEUE_URL or RABBITMQ_URL: is not a URL; write special characters in the user name or password as %40 and so on',
    );
  }
  if (new URL(url).searchParams.has('heartbeat')) return url;
  return `${url}${url.includes('?') ? '&' : '?'}heartbeat=${HEARTBEAT_S}`;
}

/** What a setting is to blame for, where trying again cannot help. */
export function configurationFault(
  { code, message }: Error & { code?: unknown },
  queue: string,
): string | undefined {
  const text = /with message "(.*)"$/.exec(message)?.[1] ?? message;
  if (code === 406) {
    return `QUEUE_TYPE: queue ${queue} exists with other properties; set QUEUE_TYPE to fit it, or delete it (${text})`;
  }
  // amqplib tells of a failed handshake in words alone.
  if (code === 403 || message.startsWith('Handshake terminated by server: 403')) {
    return `QUEUE_URL or RABBITMQ_URL: RabbitMQ refuses the user or the password (${text})`;
  }
  if (message.includes('got <ConnectionClose')) {
    return 'QUEUE_URL or RABBITMQ_URL: RabbitMQ has no such virtual host, or not for this user';
  }
  return undefined;
}

/** Follows the attempts to connect; what it returns resolves when none is under way. */
export function followAttempts(connection: RecoveringChannelModel): () => Promise<void> {
  let attempt: Promise<void>;
  const begin = () => {
    attempt = new Promise((resolve) => {
      connection.once('connect', () => resolve());
      connection.once('connect-failed', () => resolve());
    });
  };
  begin();
  connection.on('reconnect-scheduled', ({ delay }: { delay: number }) => setTimeout(begin, delay).unref());
  return () => attempt;
}
