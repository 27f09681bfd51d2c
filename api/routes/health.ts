import { Router } from 'express';
import { type Readiness } from '@event-tracker/shared/readiness';
import { health, ready } from '../controllers/health.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';

export function healthRoutes(readiness: Readiness): Router {
  const router = Router();
  router.route('/').get(health).all(methodNotAllowed('GET, HEAD'));
  router.route('/ready').get(ready(readiness)).all(methodNotAllowed('GET, HEAD'));
  return router;
}
