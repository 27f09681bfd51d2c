import { type Express } from 'express';
import { type Store } from '@event-tracker/consumer/store/store';
import { type ApiConfig } from '../config.ts';
import { ingestBatch, ingestOne } from '../controllers/ingest.ts';
import { listActivities, showActivity } from '../controllers/activities.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type Ingestion } from '../services/ingestion.ts';
import { type Intake } from './intake.ts';

const PATH = '/api/v1/activities';

/** Routes of the app itself: a router of their own would be one more for each event to go through. */
export function activityRoutes(
  app: Express,
  { ADMIN_KEY }: ApiConfig,
  { open, intake }: Intake,
  ingestion: Ingestion,
  store: Store,
): void {
  const admin = adminOnly(ADMIN_KEY);

  app
    .route(PATH)
    .options(open)
    .post(intake, ingestOne(ingestion))
    .get(admin, listActivities(store))
    .all(methodNotAllowed('GET, HEAD, POST, OPTIONS'));
  app
    .route(`${PATH}/batch`)
    .options(open)
    .post(intake, ingestBatch(ingestion))
    .all(methodNotAllowed('POST, OPTIONS'));
  app.route(`${PATH}/:eventId`).get(admin, showActivity(store)).all(methodNotAllowed('GET, HEAD'));
}
