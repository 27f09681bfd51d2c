import { queueUrl, storeUrl } from '@event-tracker/shared/config';
import { ConfigurationError, StoreUnavailable } from '@event-tracker/shared/errors';
import { collectEarly, collectYoungAlone } from '@event-tracker/shared/heap';
import { createLogger, type Logger } from '@event-tracker/shared/logger';
import { openQueue } from '@event-tracker/shared/queue/open';
import { type Consumer } from '@event-tracker/shared/queue/queue';
import { createReadiness, type Ping } from '@event-tracker/shared/readiness';
import { type Reporter, startReporter } from '@event-tracker/shared/reporter';
import { createShutdown, shutdownOnSignals } from '@event-tracker/shared/shutdown';
import { readWorkerConfig, type WorkerConfig } from './config.ts';
import { createBackoff } from './services/backoff.ts';
import { Batcher } from './services/batcher.ts';
import { isolateCrashes } from './services/crash-isolation.ts';
import { openHealthServer } from './services/health.ts';
import { type HourCounter, startHourCounter } from './services/hour-counter.ts';
import { markHours } from './services/hours.ts';
import { meterHandler, meterStore } from './services/metering.ts';
import { acceptToStoredSeconds, workerCounts, workerState, writeSeconds } from './services/metrics.ts';
import { createProcessor } from './services/processor.ts';
import { watchProgress } from './services/progress.ts';
import { openStore } from './store/open.ts';
import { type Store } from './store/store.ts';

/** The worker publishes nothing; the time bounds what else the driver asks the broker. */
const PUBLISHING = { messageEventsMax: 1, inFlightMax: 1, publishTimeoutMs: 5000 };

export interface RunningWorker {
  /** Where GET /health and GET /health/ready answer. */
  port: number;
  /** Resolves when the store is prepared and messages flow; rejects with ConfigurationError when they never will. */
  consuming: Promise<unknown>;
  /** Stops in order and resolves to the exit code; what is not stored by then is in the queue. */
  shutdown(): Promise<number>;
}

/** Starts the worker. Resolves when its parts are open; the queue and the store may still be away then. */
export async function startWorker(
  config: WorkerConfig,
  logger: Logger,
  drivers = { openQueue, openStore },
): Promise<RunningWorker> {
  const { WORKER_NAME: worker } = config;
  const checks: Record<'queue' | 'store' | 'consuming', Ping> = {
    queue: notReady,
    store: notReady,
    consuming: notReady,
  };
  const readiness = createReadiness(checks, {});
  const health = await openHealthServer(config.CONSUMER_PORT, readiness);
  logger.info({ port: health.port }, 'health server listening');
  const storeOptions = { worker, timeoutMs: config.STORE_TIMEOUT_MS };
  const store = await drivers.openStore(storeUrl(config), storeOptions);
  const queueOptions = { name: config.QUEUE_NAME, type: config.QUEUE_TYPE, ...PUBLISHING };
  const queue = await drivers.openQueue(queueUrl(config), queueOptions, logger);

  const backoff = createBackoff(config.RETRY_BACKOFF_MAX_MS, logger);
  const metered = meterStore(markHours(store), worker);
  const batcher = new Batcher(metered, backoff, {
    batchSizeMax: config.BATCH_SIZE_MAX,
    writesInFlightMax: config.WRITES_IN_FLIGHT_MAX,
  });
  const processor = createProcessor(metered, batcher, backoff, worker);
  const isolated = isolateCrashes(processor, metered, backoff, worker);
  let consumer: Consumer | undefined;
  let hourCounter: HourCounter | undefined;
  const progress = watchProgress(
    queue,
    () => consumer,
    () => backoff.healthy,
  );
  const reporter = startWorkerReporter(store, worker, logger);

  async function consume(): Promise<Consumer> {
    await backoff.run(() => store.prepare());
    hourCounter = startHourCounter(store, logger);
    const limits = { prefetch: config.CONSUMER_PREFETCH, retryDelayMs: config.RETRY_DELAY_MS };
    consumer = await queue.consume(meterHandler(isolated, config.RETRY_DELAY_MS), limits);
    checks.consuming = () => progress.check();
    logger.info({ queue: config.QUEUE_NAME, worker }, 'consuming');
    return consumer;
  }

  checks.queue = () => queue.ping();
  checks.store = () => (backoff.healthy ? store.ping() : notReady());
  const consuming = consume().catch((error: unknown) => {
    // Stopped before the store was found: nothing was taken from the queue.
    if (!(error instanceof StoreUnavailable)) throw error;
  });
  const steps = [
    { name: 'turn unready', run: () => readiness.stop() },
    { name: 'end back-off', run: () => backoff.stop() },
    { name: 'finish messages', run: async () => (await consuming.catch(() => undefined))?.stop() },
    { name: 'end watching', run: () => progress.stop() },
    { name: 'end counting', run: () => hourCounter?.stop() },
    { name: 'report counts', run: () => reporter.stop() },
    { name: 'close queue', run: () => queue.close() },
    { name: 'close store', run: () => store.close() },
    { name: 'close health server', run: () => health.close() },
  ];
  const shutdown = createShutdown(steps, config.SHUTDOWN_TIMEOUT_MS, logger);
  return { port: health.port, consuming, shutdown };
}

/** Tells the other processes, through the store, what this one has counted. */
function startWorkerReporter(store: Store, name: string, logger: Logger): Reporter {
  const measure = () => ({
    counts: workerCounts,
    inFlight: workerState.handling + workerState.delayed,
    depth: workerState.depth,
    limiterDegraded: false,
  });
  const latencies = { write: writeSeconds, acceptToStored: acceptToStoredSeconds };
  return startReporter({ service: 'worker', name, latencies, measure }, store, logger);
}

function notReady(): Promise<never> {
  return Promise.reject(new Error('not ready'));
}

async function main(): Promise<void> {
  const config = readWorkerConfig();
  const logger = createLogger('consumer', config.LOG_LEVEL);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, `${event}: ending; the broker delivers again what was in flight`);
      process.exit(1);
    });
  }
  collectEarly();
  collectYoungAlone();
  const worker = await startWorker(config, logger);
  shutdownOnSignals(() => worker.shutdown(), logger);
  // For whoever started this program over IPC; others do not hear it.
  process.send?.({ port: worker.port });
  await worker.consuming;
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error instanceof ConfigurationError ? error.message : error);
    process.exit(1);
  });
}
