import { Kafka, logLevel } from 'kafkajs';
import { until } from '../../tools/services/in-tests.ts';
import { type ActivityEvent } from '../event.ts';
import { createLogger } from '../logger.ts';
import { type AsSent, readMessage } from '../message.ts';
import { type Message, type Queue, type QueueOptions } from '../queue/queue.ts';

export const logger = createLogger('test', 'silent');

export const queueOptions: QueueOptions = {
  name: 'user_activities',
  type: 'default',
  messageEventsMax: 1,
  inFlightMax: 1_000,
  publishTimeoutMs: 10_000,
};

export function makeEvent(eventId: number | string, payload: Record<string, unknown> = {}): ActivityEvent {
  return {
    eventId: String(eventId),
    userId: 'user-1',
    eventType: 'page_view',
    timestamp: '2023-10-27T10:00:00.000Z',
    payload,
    source: 'activities',
    receivedAt: '2023-10-27T10:00:01.000Z',
    requestId: null,
    ip: null,
    userAgent: null,
  };
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What a client would have sent for these, with spaces as people write them. */
export function asSent(events: readonly ActivityEvent[]): AsSent {
  const said = events.map(({ userId, eventType, timestamp, payload }) => {
    return { timestamp, userId, eventType, payload };
  });
  const text = JSON.stringify(said.length === 1 ? said[0] : said, null, 1);
  return {
    bytes: Buffer.from(text),
    text,
    eventIds: JSON.stringify(events.map(({ eventId }) => eventId)),
  };
}

/** The events that a message carries, as the worker reads them. */
export function eventsOn({ body }: Pick<Message, 'body'>): ActivityEvent[] {
  return readMessage(body).events as ActivityEvent[];
}

/** The ids of the events that a message carries. */
export function eventIds({ body }: Pick<Message, 'body'>): string[] {
  return eventsOn({ body }).map(({ eventId }) => eventId);
}

/** Publishes again until it succeeds, as a client would that was answered 503. */
export async function publishAgain(queue: Queue, event: ActivityEvent): Promise<void> {
  const published = () =>
    queue.publish([event]).then(
      () => true,
      () => false,
    );
  await until(published);
}

/** Another program's client, made with kafkajs alone. */
export function openForeignKafka(url: string): Kafka {
  return new Kafka({ brokers: [new URL(url).host], logLevel: logLevel.NOTHING });
}
