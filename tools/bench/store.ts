import { readWorkerConfig } from '../../consumer/config.ts';
import { openStore } from '../../consumer/store/open.ts';
import { type InsertOptions, type InsertResult } from './bare/insert.ts';
import { runProgram } from './load.ts';
import { type Space } from './stack.ts';

const { BATCH_SIZE_MAX, WRITES_IN_FLIGHT_MAX } = readWorkerConfig({
  RABBITMQ_URL: 'amqp://localhost',
  DATABASE_URL: 'mongodb://localhost',
});

/** What the bare worker is told, so that it writes in the portions that ours does. */
export const writeSettings = {
  BATCH_SIZE_MAX: String(BATCH_SIZE_MAX),
  WRITES_IN_FLIGHT_MAX: String(WRITES_IN_FLIGHT_MAX),
};

/** Makes the collections and indexes that our worker makes. */
export async function prepareStore({ database }: Space): Promise<void> {
  const store = await openStore(database, { worker: 'bench:1', timeoutMs: 60_000 });
  await store.prepare();
  await store.close();
}

/** Inserts documents like ours by the native driver alone, in the portions that our worker writes. */
export function insertAlone(
  { database }: Space,
  documents: number,
  more: Pick<InsertOptions, 'ids' | 'users'> = {},
): Promise<InsertResult> {
  const portions = { batch: BATCH_SIZE_MAX, inFlight: WRITES_IN_FLIGHT_MAX };
  const options: InsertOptions = { database, documents, ...portions, ...more };
  return runProgram('bare/insert.js', options);
}
