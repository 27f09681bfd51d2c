import { Router } from 'express';
import { openStream } from '../controllers/stream.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type LiveStream } from '../services/stream.ts';

export function streamRoutes(adminKey: string | undefined, stream: LiveStream): Router {
  const router = Router();
  router.route('/').get(adminOnly(adminKey), openStream(stream)).all(methodNotAllowed('GET, HEAD'));
  return router;
}
