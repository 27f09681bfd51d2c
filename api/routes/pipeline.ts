import { Router } from 'express';
import { type Readiness } from '@event-tracker/shared/readiness';
import { showMetrics, showPipeline } from '../controllers/pipeline.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type Pipeline } from '../services/pipeline.ts';

export function pipelineRoutes(adminKey: string | undefined, pipeline: Pipeline): Router {
  const router = Router();
  router.route('/').get(adminOnly(adminKey), showPipeline(pipeline)).all(methodNotAllowed('GET, HEAD'));
  return router;
}

export function metricsRoutes(adminKey: string | undefined, readiness: Readiness): Router {
  const router = Router();
  router.route('/').get(adminOnly(adminKey), showMetrics(readiness)).all(methodNotAllowed('GET, HEAD'));
  return router;
}
