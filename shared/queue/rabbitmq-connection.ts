import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import { ConfigurationError } from '../errors.ts';
import { type Logger } from '../logger.ts';

/** A broker that hangs is given up after two to three intervals. A heartbeat in the URL wins. */
const HEARTBEAT_S = 10;
/** Erlang's `disk_log`, which is below Mnesia, writes what it is given 2 s later at the latest. */
const METADATA_WRITTEN_MS = 3_000;
/** The reply code of a channel that is closed because the user may not do that (AMQP 0-9-1, `access-refused`). */
const ACCESS_REFUSED = 403;

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

/**
 * Resolves when a classic queue that has been declared is on the broker's disk. A new quorum queue needs more than that,
 * which is not mended (docs/reliability.md).
 *
 * With Mnesia (brokers before Khepri) RabbitMQ says that a queue is declared while its commit may wait in memory. A
 * broker that is killed then comes back without the queue, and without what it had confirmed: 6 of 75 that were killed
 * within half a second. The commit of a later change is written behind it, here that of a binding, which is taken back
 * at once: 0 of 119 (docs/reliability.md).
 */
export async function waitUntilKept(model: ChannelModel, queue: string, logger: Logger): Promise<void> {
  const channel = await model.createChannel();
  // What it is closed for also rejects what is under way; without a listener it would end the process.
  channel.on('error', () => undefined);
  try {
    await channel.bindQueue(queue, 'amq.direct', queue);
    await channel.unbindQueue(queue, 'amq.direct', queue);
    await channel.close();
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    if (code !== ACCESS_REFUSED) throw error;
    logger.warn(
      { reason: message, waitMs: METADATA_WRITTEN_MS },
      'RabbitMQ does not let its user bind the queue, which would write it to disk at once: waiting until it is written',
    );
    await delay(METADATA_WRITTEN_MS);
  }
}
