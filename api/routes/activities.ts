import { Router } from 'express';
import { type Store } from '@event-tracker/consumer/store/store';
import { type ApiConfig } from '../config.ts';
import { ingestBatch, ingestOne } from '../controllers/ingest.ts';
import { listActivities, showActivity } from '../controllers/activities.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type Ingestion } from '../services/ingestion.ts';
import { type Intake } from './intake.ts';

export function activityRoutes(
  { ADMIN_KEY }: ApiConfig,
  { open, intake }: Intake,
  ingestion: Ingestion,
  store: Store,
): Router {
  const router = Router();
  const admin = adminOnly(ADMIN_KEY);

  router
    .route('/')
    .options(open)
    .post(intake, ingestOne(ingestion))
    .get(admin, listActivities(store))
    .all(methodNotAllowed('GET, HEAD, POST, OPTIONS'));
  router
    .route('/batch')
    .options(open)
    .post(intake, ingestBatch(ingestion))
    .all(methodNotAllowed('POST, OPTIONS'));
  router.route('/:eventId').get(admin, showActivity(store)).all(methodNotAllowed('GET, HEAD'));
  return router;
}
