import cors from 'cors';
import { type RequestHandler, Router } from 'express';
import { type Store } from '@event-tracker/consumer/store/store';
import { type ApiConfig } from '../config.ts';
import { ingestBatch, ingestOne } from '../controllers/ingest.ts';
import { listActivities, showActivity } from '../controllers/activities.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { jsonBody } from '../middlewares/json-body.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type Ingestion } from '../services/ingestion.ts';

const EXPOSED_HEADERS = ['RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Request-Id'];

export function activityRoutes(
  config: ApiConfig,
  ingestion: Ingestion,
  store: Store,
  limit: RequestHandler,
): Router {
  const router = Router();
  const open = cors({
    origin: config.CORS_ORIGIN,
    methods: 'POST',
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  });
  const body = jsonBody(config.BODY_BYTES_MAX);
  const admin = adminOnly(config.ADMIN_KEY);

  // The limit stands before the body, so that a refused request costs no reading and no inflating.
  router
    .route('/')
    .options(open)
    .post(open, limit, body, ingestOne(ingestion))
    .get(admin, listActivities(store))
    .all(methodNotAllowed('GET, HEAD, POST, OPTIONS'));
  router
    .route('/batch')
    .options(open)
    .post(open, limit, body, ingestBatch(ingestion))
    .all(methodNotAllowed('POST, OPTIONS'));
  router.route('/:eventId').get(admin, showActivity(store)).all(methodNotAllowed('GET, HEAD'));
  return router;
}
