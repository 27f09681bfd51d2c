import { ConfigurationError, StoreUnavailable } from '@event-tracker/shared/errors';
import { durableWriteConcern, foundNoServer, reconnect } from '@event-tracker/shared/mongodb';
import mongoose, { type Connection, type ConnectOptions, type mongo } from 'mongoose';
import { callFault, messageOf } from './mongodb-errors.ts';
import { within } from './within.ts';

const DEFAULT_DATABASE = 'activity_db';

export interface MongodbConnection {
  readonly connection: Connection;
  /**
   * Runs one call on the open connection, bounds it, and puts its failure into the terms of the port; a database that
   * refuses the user is a `RefusedError`. The driver's own error stays here: Mongoose hangs the documents onto it,
   * and they are nothing for a log. A write made with the options `durable` survives a crash of the database.
   */
  call: <T>(
    operation: (durable: { writeConcern: mongo.WriteConcernSettings }) => Promise<T>,
    RefusedError?: typeof ConfigurationError,
  ) => Promise<T>;
  close: () => Promise<void>;
}

/**
 * A Mongoose connection of one's own. It is opened by the first call that finds the database; from then on the driver
 * finds the database again by itself, and where it does not, the next call looks anew. Throws ConfigurationError for a
 * URL that is none.
 */
export function createMongodbConnection(url: string, timeoutMs: number): MongodbConnection {
  const options: ConnectOptions = {
    appName: 'event-tracker',
    // A call finds the database or fails; it never waits in a buffer.
    bufferCommands: false,
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    waitQueueTimeoutMS: timeoutMs,
    // Takes the connection from a call that nobody waits for any more.
    socketTimeoutMS: timeoutMs,
    ...(!hasDatabase(url) && { dbName: DEFAULT_DATABASE }),
  };
  checkUrl(url);
  const connection = mongoose.createConnection();
  let state: 'new' | 'open' | 'lost' = 'new';
  let opening: Promise<unknown> | undefined;
  let writeConcern: mongo.WriteConcernSettings | undefined;

  async function connect() {
    if (state !== 'open') {
      // Mongoose does not try again by itself until it has been connected once.
      const open = () =>
        state === 'new' ? connection.openUri(url, { ...options }) : reconnect(connection.getClient());
      opening ??= open()
        .then(() => (state = 'open'))
        .finally(() => (opening = undefined));
      await opening;
    }
    writeConcern ??= durableWriteConcern(await connection.getClient().db('admin').command({ hello: 1 }));
    return { writeConcern };
  }

  function notice(error: unknown): never {
    if (foundNoServer(error)) state = 'lost';
    throw error;
  }

  return {
    connection,
    async call(operation, RefusedError = StoreUnavailable) {
      try {
        // The driver bounds each of its steps, not their sum; its option `timeoutMS` has no effect.
        return await within(timeoutMs, 'MongoDB', () => connect().then(operation).catch(notice));
      } catch (error) {
        const fault = callFault(error);
        if (fault === 'unexpected') throw error;
        if (fault === 'misconfigured')
          throw new RefusedError(`STORE_URL or DATABASE_URL: MongoDB refuses: ${messageOf(error)}`);
        throw new StoreUnavailable(`MongoDB: ${messageOf(error)}`);
      }
    },
    async close() {
      const client = connection.getClient() as mongoose.mongo.MongoClient | undefined;
      // Ends an attempt to connect as well, which Mongoose would wait for.
      await client?.close();
      await opening?.catch(() => undefined);
      await connection.destroy();
    },
  };
}

function hasDatabase(url: string): boolean {
  return /^[^:]+:\/\/[^/?]+\/[^?]/.test(url);
}

function checkUrl(url: string): void {
  try {
    new mongoose.mongo.MongoClient(url);
  } catch {
    // The driver's message may repeat what is in the URL.
    throw new ConfigurationError(
      'STORE_URL or DATABASE_URL: is not a MongoDB URL with known options; write special characters in the user name or password as %40 and so on',
    );
  }
}
