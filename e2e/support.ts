import { type Db, MongoClient } from 'mongodb';
import { type Summary } from './ledger.ts';
import { planRequests } from './plan.ts';
import { type OpenStore, type StoreName, type StoreReader, stores } from '../tools/pairs.ts';
import { type Program } from '../tools/programs.ts';
import { serviceUrl } from '../tools/services/in-tests.ts';

export const SEED = 1995_07_01;
/** A whole log of some twenty thousand activities takes its time on a small machine. */
export const TIMEOUT_MS = 180_000;
/** Everything comes from one address here. */
export const NO_LIMIT = { RATE_LIMIT_MAX_REQUESTS: '1000000' };

const clients: MongoClient[] = [];
const readers: StoreReader[] = [];
const programs: Program[] = [];

export const planWholeLog = () => planRequests(SEED, 24_000);

/** A database that `endAll` takes leave of. */
export function openDb(url: string, name: string): Db {
  const client = new MongoClient(url);
  clients.push(client);
  return client.db(name);
}

/** A database on the server for the tests, seen from outside. */
export async function openFound(store: StoreName, name: string): Promise<OpenStore> {
  const found = await stores[store].open(serviceUrl(stores[store].service), name);
  readers.push(found);
  return found;
}

/** A program that `endAll` stops where the test has not come to it. */
export function ours(program: Program): Program {
  programs.push(program);
  return program;
}

export async function endAll(): Promise<void> {
  await Promise.all(programs.map((program) => program.stop()));
  await Promise.all([...clients, ...readers].map((one) => one.close()));
}

// The last is the second line of one that kafkajs gives Node.js 26 cause for: it sets a timer of less than no time.
const WARNING_OF_NODE = /^\((?:node:|Use `node)|^Timeout duration was set to/;

/** The lines on standard error, without the warnings of Node itself. */
export function errorLines(program: Program): string[] {
  return program
    .errors()
    .split('\n')
    .filter((line) => line !== '' && !WARNING_OF_NODE.test(line));
}

/** Every event came out as planned, and all kinds of outcomes took part. */
export function expectBalanced(summary: Summary): void {
  const { sent, accepted, refused, repeated, stored } = summary;
  expect(summary).toMatchObject({ wrong: [], doubled: 0, missing: 0, foreign: 0, deadLetters: 0 });
  expect(accepted + refused).toBe(sent);
  expect(stored).toBe(accepted - repeated);
  expect(sent).toBeGreaterThanOrEqual(20_000);
  expect(refused).toBeGreaterThan(sent * 0.01);
  expect(repeated).toBeGreaterThan(2000);
}
