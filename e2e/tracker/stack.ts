import { type Collection } from 'mongodb';
import { ready, runProgram } from '../../tools/programs.ts';
import { freePort } from '../../tools/services/free-port.ts';
import { serviceUrl, uniqueName } from '../../tools/services/in-tests.ts';
import { openDb, ours } from '../support.ts';

export interface Stored {
  _id: string;
  userId: string;
  eventType: string;
  timestamp: Date;
  payload: Record<string, unknown> & { n: number };
}

export interface Stack {
  activities: Collection<Stored>;
  /** Starts an API with these settings; resolves to its URL. `endAll` stops it. */
  startApi(settings?: Record<string, string>): Promise<string>;
  startWorker(): Promise<void>;
  dropDatabase(): Promise<void>;
}

/** The API and the worker, with queue and store in a database of their own on the server for the tests. */
export function createStack(): Stack {
  const name = uniqueName('e2e_tracker');
  const url = `${serviceUrl('mongodb')}/${name}`;
  const common = { QUEUE_URL: url, STORE_URL: url, LOG_LEVEL: 'warn' };
  const db = openDb(serviceUrl('mongodb'), name);
  return {
    activities: db.collection<Stored>('activities'),
    async startApi(settings = {}) {
      const port = await freePort();
      // Each site has an address of its own, by which the limit of the API counts.
      const environment = { ...common, API_PORT: String(port), TRUST_PROXY: 'loopback', ...settings };
      await ready(ours(runProgram('api/server.ts', environment)), port);
      return `http://127.0.0.1:${port}`;
    },
    async startWorker() {
      const port = await freePort();
      await ready(ours(runProgram('consumer/worker.ts', { ...common, CONSUMER_PORT: String(port) })), port);
    },
    async dropDatabase() {
      await db.dropDatabase();
    },
  };
}
