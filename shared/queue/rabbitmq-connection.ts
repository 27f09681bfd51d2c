import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelModel, type Options, type RecoveringChannelModel } from 'amqplib';
import { ConfigurationError } from '../errors.ts';
import { type Logger } from '../logger.ts';
import { type QueueOptions } from './queue.ts';

/** A broker that hangs is given up after two to three intervals. A heartbeat in the URL wins. */
const HEARTBEAT_S = 10;
/** Mnesia and Ra write what they are given 2 s later at the latest. */
const WRITTEN_MS = 3_000;
/** For a queue that its process did not come to delete. */
const OTHER_EXPIRES_MS = 60_000;
/** Reply codes of a channel that is closed (AMQP 0-9-1); the last one also where a virtual host may have no more queues. */
const ACCESS_REFUSED = 403;
export const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/** For channels: what one is closed for also rejects what is under way. Without a listener it would end the process. */
const ignored = () => undefined;

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
  if (code === PRECONDITION_FAILED) {
    return `QUEUE_TYPE: queue ${queue} exists with other properties; set QUEUE_TYPE to fit it, or delete it (${text})`;
  }
  // amqplib tells of a failed handshake in words alone.
  if (code === ACCESS_REFUSED || message.startsWith('Handshake terminated by server: 403')) {
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

/** Whether the queue is there. */
export async function queueExists(model: ChannelModel, name: string): Promise<boolean> {
  const channel = await model.createChannel();
  channel.on('error', ignored);
  try {
    await channel.checkQueue(name);
    await channel.close();
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === NOT_FOUND) return false;
    throw error;
  }
}

/** The properties that the queue is declared with. */
export function queueProperties(type: QueueOptions['type']): Options.AssertQueue {
  return { durable: true, ...(type === 'quorum' && { arguments: { 'x-queue-type': 'quorum' } }) };
}

/**
 * Resolves when a queue that has been declared is on the broker's disk.
 *
 * A broker may say before that a queue is declared: with Mnesia (before Khepri) its commit waits in memory for up to 2 s,
 * and Ra, which is below quorum queues, kept the names of new ones in memory for up to 1 s (until rabbitmq/ra#443, in 2024).
 * A broker that is killed then comes back without the queue and without what it had confirmed, or with a quorum
 * queue that never answers again. To declare another queue of the same type makes it write both (docs/reliability.md).
 */
export async function waitUntilWritten(
  model: ChannelModel,
  { name, type }: QueueOptions,
  logger: Logger,
): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', ignored);
  try {
    // Of a name of its own, as a queue that another process is declaring just now may write nothing.
    const other = `${name}.written.${randomUUID()}`;
    await channel.assertQueue(other, { ...queueProperties(type), expires: OTHER_EXPIRES_MS });
    await channel.deleteQueue(other);
    await channel.close();
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    // Else the connection has ended.
    if (code !== ACCESS_REFUSED && code !== PRECONDITION_FAILED) throw error;
    logger.warn(
      { reason: message, waitMs: WRITTEN_MS },
      'RabbitMQ lets its user declare no other queue, which would write this one to disk at once: waiting until it is written',
    );
    await delay(WRITTEN_MS);
  }
}
