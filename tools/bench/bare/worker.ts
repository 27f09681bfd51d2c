/**
 * The least that a worker with our promise can do: consume, JSON.parse, `insertMany` of the native driver into the same
 * documents, and acknowledge in one go. No validation, metrics or retries; a bad message ends it.
 */
import { connect, type ConsumeMessage } from 'amqplib';
import { MongoClient } from 'mongodb';
import { aDocument, type anEvent } from '../load/events.ts';

type Event = ReturnType<typeof anEvent>;

const {
  RABBITMQ_URL = '',
  DATABASE_URL = '',
  QUEUE_NAME = '',
  BATCH_SIZE_MAX,
  WRITES_IN_FLIGHT_MAX,
} = process.env;
const PREFETCH = 2000;
const DURABLE = { ordered: false, writeConcern: { w: 1, journal: true } };

interface Item {
  event: Event;
  /** The message whose last event it is. */
  ends: ConsumeMessage | undefined;
}

interface Write {
  /** Stored with all writes before it, every message up to this one is. */
  ends: ConsumeMessage | undefined;
  isDone: boolean;
}

async function main(): Promise<void> {
  const client = await MongoClient.connect(DATABASE_URL);
  const activities = client.db().collection<{ _id: string }>('activities');
  const connection = await connect(RABBITMQ_URL, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.assertQueue(QUEUE_NAME, { durable: true });
  await channel.prefetch(PREFETCH);

  let waiting: Item[] = [];
  let isFlushing = false;
  /** In the order of their messages. */
  const writes: Write[] = [];
  let running = 0;

  function flush(): void {
    isFlushing = false;
    const isFull = () => waiting.length >= Number(BATCH_SIZE_MAX) && running < Number(WRITES_IN_FLIGHT_MAX);
    while (waiting.length > 0 && (isFull() || running === 0)) {
      const items = waiting.slice(0, Number(BATCH_SIZE_MAX));
      waiting = waiting.slice(items.length);
      void store(items);
    }
  }

  async function store(items: Item[]): Promise<void> {
    const write: Write = { ends: items.findLast(({ ends }) => ends)?.ends, isDone: false };
    writes.push(write);
    running += 1;
    const processedAt = new Date();
    await activities.insertMany(
      items.map(({ event }) => aDocument(event, processedAt)),
      DURABLE,
    );
    running -= 1;
    write.isDone = true;
    let stored: ConsumeMessage | undefined;
    for (; writes[0]?.isDone; writes.shift()) stored = writes[0].ends ?? stored;
    if (stored) channel.ack(stored, true);
    flush();
  }

  await channel.consume(QUEUE_NAME, (message) => {
    if (message === null) return;
    const content = JSON.parse(message.content.toString()) as Event | Event[];
    const events = Array.isArray(content) ? content : [content];
    for (const event of events) waiting.push({ event, ends: event === events.at(-1) ? message : undefined });
    if (!isFlushing) setImmediate(flush);
    isFlushing = true;
  });
  console.log('consuming');
}

void main();
