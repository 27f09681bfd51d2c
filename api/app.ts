import express, { type Express } from 'express';
import helmet from 'helmet';
import { type Store } from '@event-tracker/consumer/store/store';
import { type Logger } from '@event-tracker/shared/logger';
import { type Readiness } from '@event-tracker/shared/readiness';
import { type ApiConfig } from './config.ts';
import { beginWithHeaders } from './header-text.ts';
import { dashboard } from './middlewares/dashboard.ts';
import { errorHandler } from './middlewares/error-handler.ts';
import { notFound } from './middlewares/not-found.ts';
import { type RateLimitStore, rateLimiter } from './middlewares/rate-limit.ts';
import { requestFacts } from './middlewares/request-facts.ts';
import { activityRoutes } from './routes/activities.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { eventRoutes, generatedEventRoutes } from './routes/dialects.ts';
import { healthRoutes } from './routes/health.ts';
import { createIntake } from './routes/intake.ts';
import { streamRoutes } from './routes/stream.ts';
import { type DeadLetters } from './services/dead-letters.ts';
import { metricsRoutes, pipelineRoutes } from './routes/pipeline.ts';
import { statsRoutes } from './routes/stats.ts';
import { type Ingestion } from './services/ingestion.ts';
import { type Pipeline } from './services/pipeline.ts';
import { type LiveStream } from './services/stream.ts';

export interface AppParts {
  config: ApiConfig;
  ingestion: Ingestion;
  deadLetters: DeadLetters;
  pipeline: Pipeline;
  stream: LiveStream;
  readiness: Readiness;
  store: Store;
  rateLimitStore: RateLimitStore;
  /** Where the build of the dashboard is, if it is. */
  dashboardFolder: string;
  logger: Logger;
}

/** The API: what happens to a request, from top to bottom. */
export function createApp({
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
}: AppParts): Express {
  const app = express();
  app.set('trust proxy', config.TRUST_PROXY);
  app.disable('etag');
  app.disable('x-powered-by');

  beginWithHeaders(app, helmet());
  app.use(requestFacts(app, config));
  const intake = createIntake(config, rateLimiter(config, rateLimitStore, logger));
  activityRoutes(app, config, intake, ingestion, store);
  app.use('/api/v1/events', eventRoutes(intake, ingestion));
  app.use('/events', generatedEventRoutes(config, intake, ingestion, store, logger));
  app.use('/health', healthRoutes(readiness));
  app.use('/api/v1/dead-letters', deadLetterRoutes(config, store, deadLetters));
  app.use('/api/v1/pipeline', pipelineRoutes(config.ADMIN_KEY, pipeline));
  app.use('/api/v1/stats', statsRoutes(config.ADMIN_KEY, store));
  app.use('/api/v1/stream', streamRoutes(config.ADMIN_KEY, stream));
  app.use('/metrics', metricsRoutes(config.ADMIN_KEY, readiness));
  app.use(dashboard(dashboardFolder));
  app.use(notFound);
  app.use(errorHandler(logger));
  return app;
}
