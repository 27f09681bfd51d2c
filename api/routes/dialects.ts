import { Router } from 'express';
import { type Store } from '@event-tracker/consumer/store/store';
import { type Logger } from '@event-tracker/shared/logger';
import { type ApiConfig } from '../config.ts';
import { listProcessed } from '../controllers/activities.ts';
import { ingestBatch, ingestOne } from '../controllers/ingest.ts';
import { generatedEvents } from '../dialects/generated-events.ts';
import { reactUserTracker } from '../dialects/react-user-tracker.ts';
import { track } from '../dialects/track.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { errorHandler } from '../middlewares/error-handler.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type Ingestion } from '../services/ingestion.ts';
import { type Intake } from './intake.ts';

/** Below /api/v1/events. */
export function eventRoutes({ open, intake }: Intake, ingestion: Ingestion): Router {
  const router = Router();
  router
    .route('/track')
    .options(open)
    .post(intake, ingestOne(ingestion, track))
    .all(methodNotAllowed('POST, OPTIONS'));
  router
    .route('/react-user-tracker')
    .options(open)
    .post(intake, ingestBatch(ingestion, reactUserTracker))
    .all(methodNotAllowed('POST, OPTIONS'));
  return router;
}

/** Below /events: these clients know errors of another form than all others. */
export function generatedEventRoutes(
  { ADMIN_KEY, EVENT_TYPES }: ApiConfig,
  { open, intake }: Intake,
  ingestion: Ingestion,
  store: Store,
  logger: Logger,
): Router {
  const router = Router();
  const dialect = generatedEvents(EVENT_TYPES);
  router
    .route('/generate')
    .options(open)
    .post(intake, ingestOne(ingestion, dialect))
    .all(methodNotAllowed('POST, OPTIONS'));
  router
    .route('/processed')
    .get(adminOnly(ADMIN_KEY), listProcessed(store))
    .all(methodNotAllowed('GET, HEAD'));
  router.use(errorHandler(logger, dialect.refused));
  return router;
}
