/** `insertMany` of the native driver alone: documents like ours, made beforehand, into a collection with our indexes. */
import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { uuidv7 } from 'uuidv7';
import { answerParent } from '../load/answer.ts';
import { aDocument, anActivity, anEvent } from '../load/events.ts';

export interface InsertOptions {
  database: string;
  documents: number;
  batch: number;
  inFlight: number;
  /** UUIDv7 without it. */
  ids?: 'uuidv4';
  /** How many users the documents are of; as ever without it. */
  users?: number;
}

export interface InsertResult {
  /** Documents a second. */
  rate: number;
  /** CPU of this process, in microseconds a document. */
  workerUs: number;
}

/** Documents that are made before their time is taken; what is beyond is made in between, and the clock stands still. */
const CHUNK = 200_000;
const DURABLE = { ordered: false, writeConcern: { w: 1, journal: true } };

async function insert({
  database,
  documents,
  batch,
  inFlight,
  ids,
  users,
}: InsertOptions): Promise<InsertResult> {
  const client = await MongoClient.connect(database);
  const activities = client.db().collection<{ _id: string }>('activities');
  let [milliseconds, cpuUs] = [0, 0];
  for (let first = 0; first < documents; first += CHUNK) {
    const chunk = Array.from({ length: Math.min(CHUNK, documents - first) }, (_, index) => {
      const event = anEvent(first + index, ids === 'uuidv4' ? randomUUID() : uuidv7());
      const { userId } = anActivity(first + index, users);
      return aDocument({ ...event, userId }, new Date());
    });
    const cpu = process.cpuUsage();
    const begun = performance.now();
    let next = 0;
    const insertSome = async () => {
      while (next < chunk.length) await activities.insertMany(chunk.slice(next, (next += batch)), DURABLE);
    };
    await Promise.all(Array.from({ length: inFlight }, insertSome));
    milliseconds += performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    cpuUs += user + system;
  }
  await client.close();
  return { rate: documents / (milliseconds / 1000), workerUs: cpuUs / documents };
}

answerParent(insert);
