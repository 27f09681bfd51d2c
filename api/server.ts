import { type Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryStore } from 'express-rate-limit';
import { openStore } from '@event-tracker/consumer/store/open';
import { type Store } from '@event-tracker/consumer/store/store';
import { queueUrl, storeUrl } from '@event-tracker/shared/config';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { keepHeapSmall } from '@event-tracker/shared/heap';
import { createLogger, type Logger } from '@event-tracker/shared/logger';
import { openQueue } from '@event-tracker/shared/queue/open';
import { createReadiness } from '@event-tracker/shared/readiness';
import { type Reporter, startReporter } from '@event-tracker/shared/reporter';
import { createShutdown, shutdownOnSignals } from '@event-tracker/shared/shutdown';
import { createApp } from './app.ts';
import { type ApiConfig, readApiConfig } from './config.ts';
import { createHttpServer } from './http-server.ts';
import { createDeadLetters } from './services/dead-letters.ts';
import { createIngestion } from './services/ingestion.ts';
import { apiCounts, confirmSeconds, meterPublish, publishesInFlight } from './services/metrics.ts';
import { createPipeline } from './services/pipeline.ts';
import { openRateLimitStore } from './services/rate-limit-store.ts';
import { createLiveStream } from './services/stream.ts';

/** A client that sends its headers or its whole request slower than this is cut off, in less than 15 s under load too. */
const HEADERS_TIMEOUT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 12_000;
/** Longer than the usual 60 s of load balancers, so that they never reuse a connection that is about to close. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** While it shuts down, the time for clients on open connections to be told so with their next answer. */
const LAST_REQUESTS_MS = 250;
/** This file is a folder deeper when it is built. */
const dashboardFolder = path.join(
  __dirname,
  path.basename(__dirname) === 'dist' ? '../..' : '..',
  'dashboard/dist',
);

export interface RunningApi {
  port: number;
  /** Stops in order and resolves to the exit code; what was accepted is in the queue by then. */
  shutdown(): Promise<number>;
}

/** Starts the API. Resolves when it listens; the queue, the store and Redis may still be away then. */
export async function startApi(config: ApiConfig, logger: Logger): Promise<RunningApi> {
  const queueOptions = {
    name: config.QUEUE_NAME,
    type: config.QUEUE_TYPE,
    messageEventsMax: config.MESSAGE_EVENTS_MAX,
    inFlightMax: config.PUBLISH_IN_FLIGHT_MAX,
    publishTimeoutMs: config.PUBLISH_TIMEOUT_MS,
  };
  const queue = await openQueue(queueUrl(config), queueOptions, logger);
  const store = await openStore(storeUrl(config), { worker: 'api', timeoutMs: config.STORE_TIMEOUT_MS });
  const { REDIS_URL, RATE_LIMIT_WINDOW_MS } = config;
  const redisStore = REDIS_URL
    ? await openRateLimitStore(REDIS_URL, RATE_LIMIT_WINDOW_MS, logger)
    : undefined;
  const rateLimitStore = redisStore ?? new MemoryStore();
  // Events are accepted without the store and without Redis; without the queue they are not.
  const readiness = createReadiness(
    { queue: () => queue.ping() },
    { store: () => store.ping(), rateLimit: () => (redisStore ? redisStore.ping() : Promise.resolve()) },
  );

  // Whatever publishes accepted events goes through it, replays of dead letters too: each has to be counted.
  const publisher = meterPublish(queue);
  const ingestion = createIngestion(publisher);
  const deadLetters = createDeadLetters(store, publisher);
  const pipeline = createPipeline(store, queue);
  const stream = createLiveStream(store, logger);
  const app = createApp({
    config,
    ingestion,
    deadLetters,
    pipeline,
    stream,
    readiness,
    store,
    rateLimitStore,
    dashboardFolder,
    logger,
  });
  const server = createHttpServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      // Node looks for slow requests only this often; its default of 30 s would make the two bounds above idle.
      connectionsCheckingInterval: 1000,
    },
    app,
  );
  const port = await listen(server, config.API_PORT);
  logger.info({ port }, 'listening');
  const reporter = startApiReporter(store, () => redisStore?.degraded ?? false, logger);

  const steps = [
    { name: 'turn unready', run: () => readiness.stop() },
    // They have no end of their own, which the next step would wait for.
    { name: 'end streams', run: () => stream.close() },
    { name: 'finish requests', run: () => closeServer(server) },
    { name: 'report counts', run: () => reporter.stop() },
    { name: 'close queue', run: () => queue.close() },
    { name: 'close store', run: () => store.close() },
    { name: 'close rate limiter', run: () => rateLimitStore.shutdown() },
  ];
  return { port, shutdown: createShutdown(steps, config.SHUTDOWN_TIMEOUT_MS, logger) };
}

/** Tells the other processes, through the store, what this one has counted. */
function startApiReporter(store: Store, isDegraded: () => boolean, logger: Logger): Reporter {
  const measure = () => ({
    counts: apiCounts,
    inFlight: publishesInFlight(),
    depth: null,
    limiterDegraded: isDegraded(),
  });
  return startReporter({ service: 'api', latencies: { confirm: confirmSeconds }, measure }, store, logger);
}

async function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken
          ? new ConfigurationError(`API_PORT ${port} is taken: stop what listens there, or set another port`)
          : error,
      );
    });
    server.listen(port, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Takes no new connections and lets every request that was read have its answer. */
async function closeServer(server: Server): Promise<void> {
  // A client that is kept alive learns from its next answer that it has to go. Cut off between two requests, it would
  // see the second one fail and not know whether it was taken; `close` of node:http does that, hence that of node:net.
  server.prependListener('request', (_req, res) => res.setHeader('Connection', 'close'));
  const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
  await Promise.race([closed, delay(LAST_REQUESTS_MS, undefined, { ref: false })]);
  // A connection that becomes idle after its answer has to go too, or closing would wait for the keep-alive time.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearInterval(sweep);
}

async function main(): Promise<void> {
  keepHeapSmall();
  const config = readApiConfig();
  const logger = createLogger('api', config.LOG_LEVEL);
  const api = await startApi(config, logger);
  shutdownOnSignals(() => api.shutdown(), logger);
  // For whoever started this program over IPC; others do not hear it.
  process.send?.({ port: api.port });
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error instanceof ConfigurationError ? error.message : error);
    process.exit(1);
  });
}
