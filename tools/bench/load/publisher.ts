/** Fills a queue with a backlog, as fast as the broker takes it. */
import { connect } from 'amqplib';
import { uuidv7 } from 'uuidv7';
import { answerParent } from './answer.ts';
import { anActivity, anEvent } from './events.ts';

export interface Backlog {
  rabbitmq: string;
  queue: string;
  events: number;
  /** With 1 a message is a JSON object, with more an array, as our API publishes them. */
  eventsPerMessage: number;
  /** Events as the seed-shaped API publishes them: what the client sent and when. */
  isSeedShaped: boolean;
}

const UNCONFIRMED_MAX = 5000;

async function publish(backlog: Backlog): Promise<object> {
  const { rabbitmq, queue, events, eventsPerMessage, isSeedShaped } = backlog;
  const connection = await connect(rabbitmq, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  const create = (index: number) =>
    isSeedShaped ? { ...anActivity(index), receivedAt: new Date().toISOString() } : anEvent(index, uuidv7());
  for (let first = 0, messages = 1; first < events; first += eventsPerMessage, messages += 1) {
    const content =
      eventsPerMessage === 1
        ? create(first)
        : Array.from({ length: eventsPerMessage }, (_, index) => create(first + index));
    const body = Buffer.from(JSON.stringify(content));
    channel.sendToQueue(queue, body, { persistent: true, contentType: 'application/json' });
    if (messages % UNCONFIRMED_MAX === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  await connection.close();
  return {};
}

answerParent(publish);
