import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { type Program, ready, runProgram } from '../programs.ts';
import { freePort } from '../services/free-port.ts';

/** API and worker on a MongoDB server that carries queue and store, as `npm start` has them. */
export interface System {
  /** Where the dashboard is. */
  readonly url: string;
  /** The API that runs now; another one after `restartApi`. */
  api(): Program;
  restartApi(): Promise<void>;
  /** Lays bytes of somebody else's onto the queue. */
  enqueue(bodies: readonly string[]): Promise<void>;
  /** Ends both programs; resolves to their exit codes. */
  stop(): Promise<(number | null)[]>;
}

/** `name` is that of the database, and of the queue's beside it; both are new. */
export async function startSystem(
  server: string,
  name: string,
  settings: Record<string, string> = {},
): Promise<System> {
  const [apiPort, workerPort] = [await freePort(), await freePort()];
  const environment = {
    ...{ QUEUE_URL: `${server}/${name}_queue`, STORE_URL: `${server}/${name}`, LOG_LEVEL: 'warn' },
    ...{ RATE_LIMIT_MAX_REQUESTS: '1000000', API_PORT: String(apiPort), CONSUMER_PORT: String(workerPort) },
    ...settings,
  };
  const startApi = async () => {
    const program = runProgram('api/server.ts', environment);
    await ready(program, apiPort);
    return program;
  };
  const worker = runProgram('consumer/worker.ts', environment);
  let [api] = await Promise.all([startApi(), ready(worker, workerPort)]);
  return {
    url: `http://127.0.0.1:${apiPort}`,
    api: () => api,
    async restartApi() {
      api = await startApi();
    },
    async enqueue(bodies) {
      const client = new MongoClient(server);
      const messages = bodies.map((body) => ({
        ...{ _id: String(randomUUID()), body: Buffer.from(body), visibleAt: 0, attempts: 0 },
      }));
      await client.db(`${name}_queue`).collection<{ _id: string }>('user_activities').insertMany(messages);
      await client.close();
    },
    stop: () => Promise.all([api.stop(), worker.stop()]),
  };
}

/** Sends events in batches, as many as one may carry. */
export async function sendAll(url: string, events: readonly unknown[]): Promise<void> {
  for (let start = 0; start < events.length; start += 1000) {
    const answer = await fetch(`${url}/api/v1/activities/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events.slice(start, start + 1000)),
    });
    if (answer.status !== 202) throw new Error(`batch: ${answer.status} ${await answer.text()}`);
  }
}
