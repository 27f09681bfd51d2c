import { ConfigurationError } from '../errors.ts';
import { type Logger } from '../logger.ts';
import { type Queue, type QueueOptions } from './queue.ts';

/**
 * Opens the queue that the scheme of `url` names; a driver's library is loaded only when it is used. Resolves when
 * the broker is connected, or away for now (the driver keeps trying); rejects with ConfigurationError where trying
 * again cannot help: wrong password, a queue of another shape.
 */
export async function openQueue(url: string, options: QueueOptions, logger: Logger): Promise<Queue> {
  const scheme = url.slice(0, url.indexOf(':'));
  switch (scheme) {
    case 'amqp':
    case 'amqps':
      return (await import('./rabbitmq.ts')).openRabbitmqQueue(url, options, logger);
    case 'kafka':
    case 'kafkas':
      return (await import('./kafka.ts')).openKafkaQueue(url, options, logger);
    case 'mongodb':
    case 'mongodb+srv':
      return (await import('./mongodb.ts')).openMongodbQueue(url, options, logger);
    default:
      throw new ConfigurationError(`QUEUE_URL: no queue driver for ${scheme}://`);
  }
}
