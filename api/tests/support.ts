import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import path from 'node:path';
import { type Express } from 'express';
import { MemoryStore } from 'express-rate-limit';
import request, { type Response } from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { type Store } from '@event-tracker/consumer/store/store';
import { type Environment } from '@event-tracker/shared/config';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { type Logger } from '@event-tracker/shared/logger';
import { type Queue } from '@event-tracker/shared/queue/queue';
import { createApp } from '../app.ts';
import { readApiConfig } from '../config.ts';
import { type RateLimitStore } from '../middlewares/rate-limit.ts';
import { type ProblemCode, problems } from '../problems.ts';
import { createDeadLetters } from '../services/dead-letters.ts';
import { createIngestion } from '../services/ingestion.ts';
import { meterPublish } from '../services/metrics.ts';
import { createPipeline } from '../services/pipeline.ts';
import { createLiveStream, type LiveStream } from '../services/stream.ts';
import { createReadiness } from '@event-tracker/shared/readiness';

export const ADMIN_KEY = 'the-admin-key-of-the-tests';
export const ACTIVITIES = '/api/v1/activities';
export const DEAD_LETTERS = '/api/v1/dead-letters';
export const STREAM = '/api/v1/stream';
export const BATCH = '/api/v1/activities/batch';

/** A queue that keeps what was published, as the worker would read it, and that can be away or slow. */
export class FakeQueue implements Queue {
  /** One entry a call of `publish`. */
  readonly published: ActivityEvent[][] = [];
  fault: Error | undefined;
  /** While it is set, publishing waits for it, as for a broker's confirmation. */
  confirmation: Promise<void> | undefined;
  isClosed = false;

  get events(): ActivityEvent[] {
    return this.published.flat();
  }
  async publish(events: readonly ActivityEvent[]): Promise<void> {
    await this.confirmation;
    if (this.fault) throw this.fault;
    this.published.push(JSON.parse(JSON.stringify(events)) as ActivityEvent[]);
  }
  ping(): Promise<void> {
    return this.fault ? Promise.reject(this.fault) : Promise.resolve();
  }
  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
  consume(): never {
    throw new Error('The API consumes nothing.');
  }
  depth(): Promise<number> {
    return this.fault ? Promise.reject(this.fault) : Promise.resolve(0);
  }
}

export interface LogEntry {
  level: string;
  message: string;
  fields: Record<string, unknown>;
}

/** A logger that keeps its entries. */
export function recordingLogger(): { logger: Logger; entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const at = (level: string) => (first: unknown, message?: string) =>
    void entries.push(
      typeof first === 'string'
        ? { level, message: first, fields: {} }
        : { level, message: message ?? '', fields: first as Record<string, unknown> },
    );
  const logger = { info: at('info'), warn: at('warn'), error: at('error'), debug: at('debug') };
  return { logger: logger as unknown as Logger, entries };
}

export interface TestApi {
  app: Express;
  queue: FakeQueue;
  store: Store;
  stream: LiveStream;
  logged: LogEntry[];
}

interface Parts {
  queue?: FakeQueue;
  store?: Store;
  rateLimitStore?: RateLimitStore;
  limiterIsDegraded?: () => boolean;
  dashboardFolder?: string;
}

/** The whole API but for its server, on a fake queue and a store in memory. */
export function createTestApi(settings: Environment = {}, parts: Parts = {}): TestApi {
  const config = readApiConfig({
    RABBITMQ_URL: 'amqp://localhost',
    DATABASE_URL: 'mongodb://localhost',
    RATE_LIMIT_MAX_REQUESTS: '1000000',
    ADMIN_KEY,
    ...settings,
  });
  const { logger, entries } = recordingLogger();
  const queue = parts.queue ?? new FakeQueue();
  const store = parts.store ?? createMemoryStore();
  const readiness = createReadiness(
    { queue: () => queue.ping() },
    {
      store: () => store.ping(),
      rateLimit: () => (parts.limiterIsDegraded?.() ? Promise.reject(new Error('away')) : Promise.resolve()),
    },
  );
  const rateLimitStore = parts.rateLimitStore ?? new MemoryStore();
  const stream = createLiveStream(store, logger);
  const app = createApp({
    config,
    ingestion: createIngestion(meterPublish(queue)),
    deadLetters: createDeadLetters(store, meterPublish(queue)),
    pipeline: createPipeline(store, queue),
    stream,
    readiness,
    store,
    rateLimitStore,
    dashboardFolder: parts.dashboardFolder ?? path.join(__dirname, 'no-dashboard'),
    logger,
  });
  return { app, queue, store, stream, logged: entries };
}

const servers: Server[] = [];

/** Serves an app to clients that all seem to come from this address. */
export async function listenAs(app: Express, address = '203.0.113.7'): Promise<Server> {
  const server = createServer(app);
  server.on('connection', (socket) => Object.defineProperty(socket, 'remoteAddress', { value: address }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return server;
}

/** Ends what `listenAs` has started. */
export function closeServers(): void {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
}

export function activity(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    userId: 'a1b2c3d4-e5f6-7890-1234-567890abcdef',
    eventType: 'user_login',
    timestamp: '2023-10-27T10:00:00Z',
    payload: { ipAddress: '192.168.1.1', device: 'desktop', browser: 'Chrome' },
    ...changes,
  };
}

type Target = Express | Server | string;

/** Posts bytes as they are. */
export function postRaw(
  target: Target,
  body: string | Buffer,
  headers: Record<string, string> = {},
  path = ACTIVITIES,
) {
  return request(target)
    .post(path)
    .set({ 'Content-Type': 'application/json', ...headers })
    .serialize((bytes) => bytes as string)
    .send(body as string);
}

export function post(target: Target, body: unknown = activity(), path = ACTIVITIES) {
  return postRaw(target, JSON.stringify(body), {}, path);
}

export function getAsAdmin(target: Target, path = ACTIVITIES) {
  return request(target).get(path).set('Authorization', `Bearer ${ADMIN_KEY}`);
}

interface ProblemDocument {
  detail: string;
  details: { field: string; message: string }[];
}

/** Asserts that the answer is a complete problem document (RFC 9457) of this code. */
export function expectProblem(response: Response, code: ProblemCode): ProblemDocument {
  const { status, title } = problems[code];
  const body = response.body as ProblemDocument;
  expect(body).toEqual({
    type: `urn:event-tracker:problem:${code}`,
    title,
    status,
    detail: expect.any(String) as string,
    code,
    details: expect.any(Array) as [],
    requestId: response.get('X-Request-Id'),
  });
  expect(response.status).toBe(status);
  expect(response.get('Content-Type')).toBe('application/problem+json; charset=utf-8');
  expect(body.detail).not.toBe('');
  for (const { field, message } of body.details)
    expect([typeof field, message]).toEqual(['string', expect.stringMatching(/./)]);
  return body;
}

/** The fields that the answer blames, in its order. */
export function fieldsOf(response: Response, code: ProblemCode = 'invalid-event'): string[] {
  return expectProblem(response, code).details.map(({ field }) => field);
}

export interface ApiProcess {
  url: string;
  /** Resolves to the exit code, or to the signal that ended it. */
  ended: Promise<number | string>;
  signal(name: NodeJS.Signals): void;
}

const processes: ChildProcess[] = [];

/** Starts `server.ts` as a process of its own; rejects with what it wrote to standard error when it does not start. */
export async function startApiProcess(environment: Environment): Promise<ApiProcess> {
  const server = path.join(__dirname, '..', 'server.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', server], {
    env: { PATH: process.env.PATH, API_PORT: '0', ...environment },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  processes.push(child);
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  const port = await Promise.race([
    once(child, 'message').then(([message]) => (message as { port: number }).port),
    ended.then((code) => Promise.reject(new Error(`${code}: ${complaint}`))),
  ]);
  return { url: `http://127.0.0.1:${port}`, ended, signal: (name) => void child.kill(name) };
}

/** Ends what `startApiProcess` has started. */
export async function endProcesses(): Promise<void> {
  const left = processes
    .splice(0)
    .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  const ends = left.map((child) => once(child, 'close'));
  for (const child of left) child.kill('SIGKILL');
  await Promise.all(ends);
}
