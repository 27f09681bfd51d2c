import { Router } from 'express';
import { type HourStore } from '@event-tracker/consumer/store/store';
import { showOverview } from '../controllers/stats.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';

export function statsRoutes(adminKey: string | undefined, store: Pick<HourStore, 'listHours'>): Router {
  const router = Router();
  router.route('/overview').get(adminOnly(adminKey), showOverview(store)).all(methodNotAllowed('GET, HEAD'));
  return router;
}
