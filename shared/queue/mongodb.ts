import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient, MongoServerError, type Collection } from 'mongodb';
import { createId } from '../id.ts';
import { ConfigurationError, QueueUnavailable } from '../errors.ts';
import { type ActivityEvent } from '../event.ts';
import { type AsSent } from '../message.ts';
import { type Logger } from '../logger.ts';
import { durableWriteConcern, foundNoServer, reconnect } from '../mongodb.ts';
import { Packer } from './packer.ts';
import { MongodbConsumer, type StoredMessage } from './mongodb-consumer.ts';
import {
  type ConsumeOptions,
  type Consumer,
  type MessageHandler,
  type Queue,
  type QueueOptions,
} from './queue.ts';
import { within } from './within.ts';

const SERVER_SELECTION_TIMEOUT_MS = 2_000;
/** A hung server is given up after this time. */
const SOCKET_TIMEOUT_MS = 4_000;
/**
 * Bounds every operation: driver 7.8 leaves one without an end when it is begun on a connection that is about to
 * close (it waits for a `drain` that a destroyed socket never emits), and `socketTimeoutMS` does not reach it.
 */
const OPERATION_TIMEOUT_MS = 5_000;
const CONNECT_RETRY_MS = 500;
const LEASE_MS = 10_000;
/** AuthenticationFailed, Unauthorized, and Atlas's own way of saying the former. */
const REFUSED_CODES = new Set<unknown>([18, 13, 8000]);

interface Write {
  message: StoredMessage;
  resolve: () => void;
  reject: (reason: Error) => void;
  settled: () => void;
}

/**
 * Opens a queue in a MongoDB collection, for one machine without a broker. Whoever consumes leases a message for a
 * time, as in SQS, and deletes it with its verdict. It asks for no sessions, transactions or change streams. The
 * clocks of its users should agree to within the lease.
 */
export async function openMongodbQueue(
  url: string,
  options: QueueOptions,
  logger: Logger,
  leaseMs = LEASE_MS,
): Promise<Queue> {
  const client = createClient(url);
  const queue = new MongodbQueue(client, options, logger, leaseMs);
  try {
    await within(OPERATION_TIMEOUT_MS, queue.connect());
  } catch (error) {
    if (error instanceof MongoServerError && REFUSED_CODES.has(error.code)) {
      await client.close();
      throw new ConfigurationError(`QUEUE_URL: MongoDB refuses the user or the password (${error.message})`);
    }
    logger.warn({ reason: (error as Error).message }, 'MongoDB queue cannot be reached; trying again');
    void queue.connectLater();
  }
  return queue;
}

function createClient(url: string): MongoClient {
  try {
    return new MongoClient(url, {
      serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
      connectTimeoutMS: SOCKET_TIMEOUT_MS,
      socketTimeoutMS: SOCKET_TIMEOUT_MS,
    });
  } catch {
    // The driver's message may repeat what is in the URL.
    throw new ConfigurationError(
      'QUEUE_URL: is not a MongoDB URL with known options; write special characters in the user name or password as %40 and so on',
    );
  }
}

class MongodbQueue implements Queue {
  readonly #client: MongoClient;
  readonly #messages: Collection<StoredMessage>;
  readonly #options: QueueOptions;
  readonly #logger: Logger;
  readonly #leaseMs: number;
  readonly #closed = new AbortController();
  #durable: ReturnType<typeof durableWriteConcern> | undefined;
  #isConnecting = false;
  #waiting: Write[] = [];
  #writing: Promise<void> | undefined;
  readonly #packer: Packer;

  constructor(client: MongoClient, options: QueueOptions, logger: Logger, leaseMs: number) {
    this.#client = client;
    this.#messages = client.db().collection<StoredMessage>(options.name);
    this.#options = options;
    this.#logger = logger;
    this.#leaseMs = leaseMs;
    this.#packer = new Packer(options, (body, settled) => this.#send(body, settled));
  }

  async connect(): Promise<void> {
    await reconnect(this.#client);
    await this.#messages.createIndex({ visibleAt: -1, _id: 1 });
  }

  /** The driver reconnects by itself only once it has been connected, and then not always. */
  async connectLater(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    const { signal } = this.#closed;
    while (this.#isConnecting && !signal.aborted) {
      try {
        await delay(CONNECT_RETRY_MS, undefined, { signal });
        await within(OPERATION_TIMEOUT_MS, this.connect());
        this.#isConnecting = false;
        this.#logger.info('MongoDB queue connected');
        // Closed meanwhile, the client may have been opened again behind that.
        if (signal.aborted) await this.#client.close();
      } catch (error) {
        this.#logger.debug({ reason: (error as Error).message }, 'MongoDB queue cannot be reached');
      }
    }
  }

  async #bound<T>(operation: Promise<T>): Promise<T> {
    const noticing = operation.catch((error: unknown) => {
      if (foundNoServer(error)) void this.connectLater();
      throw error;
    });
    return within(OPERATION_TIMEOUT_MS, noticing);
  }

  async publish(events: readonly ActivityEvent[], asSent?: AsSent): Promise<void> {
    if (this.#closed.signal.aborted) throw new QueueUnavailable('closed');
    await this.#packer.add(events, asSent);
  }

  async #send(body: Buffer, settled: () => void): Promise<void> {
    // A UUIDv7 is greater than the one before it: the order of publishing is the order of the ids.
    const message: StoredMessage = { _id: createId(), body, visibleAt: 0, attempts: 0 };
    const written = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject, settled });
    });
    this.#writing ??= this.#write();
    await within(this.#options.publishTimeoutMs, written);
  }

  /**
   * One insert at a time carries everything that was published during the one before: a wait for the journal is
   * shared, and messages never become visible out of order.
   */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const writes = this.#waiting;
      this.#waiting = [];
      try {
        await this.#bound(this.#insert(writes.map(({ message }) => message)));
        for (const { resolve } of writes) resolve();
      } catch (error) {
        const fault = new QueueUnavailable((error as Error).message);
        for (const { reject } of writes) reject(fault);
      }
      for (const { settled } of writes) settled();
    }
    this.#writing = undefined;
  }

  async #insert(messages: StoredMessage[]): Promise<void> {
    this.#durable ??= durableWriteConcern(await this.#client.db('admin').command({ hello: 1 }));
    await this.#messages.insertMany(messages, { writeConcern: this.#durable });
  }

  consume(handle: MessageHandler, options: ConsumeOptions): Promise<Consumer> {
    const bound = <T>(operation: Promise<T>) => this.#bound(operation);
    const leasing = { messages: this.#messages, leaseMs: this.#leaseMs, bound };
    return Promise.resolve(new MongodbConsumer(leasing, handle, options, this.#logger));
  }

  async ping(): Promise<void> {
    await this.#answer(this.#client.db().command({ ping: 1 }));
  }

  depth(): Promise<number> {
    return this.#answer(this.#messages.countDocuments({ visibleAt: { $lte: Date.now() } }));
  }

  async #answer<T>(operation: Promise<T>): Promise<T> {
    const answer = operation.catch(({ message }: Error) => {
      throw new QueueUnavailable(message);
    });
    return within(this.#options.publishTimeoutMs, answer);
  }

  async close(): Promise<void> {
    this.#packer.flush();
    this.#closed.abort();
    await within(this.#options.publishTimeoutMs, Promise.resolve(this.#writing)).catch(() => undefined);
    await this.#client.close();
  }
}
