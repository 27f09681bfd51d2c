import { Router } from 'express';
import { type DeadLetterStore } from '@event-tracker/consumer/store/store';
import { type ApiConfig } from '../config.ts';
import {
  listDeadLetters,
  purgeDeadLetter,
  purgeDeadLetters,
  replayDeadLetter,
  replayDeadLetters,
  showDeadLetter,
} from '../controllers/dead-letters.ts';
import { adminOnly } from '../middlewares/admin-only.ts';
import { jsonBody, optionalJsonBody } from '../middlewares/json-body.ts';
import { methodNotAllowed } from '../middlewares/method-not-allowed.ts';
import { type DeadLetters } from '../services/dead-letters.ts';

export function deadLetterRoutes(
  config: ApiConfig,
  store: DeadLetterStore,
  deadLetters: DeadLetters,
): Router {
  const router = Router();
  const admin = adminOnly(config.ADMIN_KEY);
  const body = jsonBody(config.BODY_BYTES_MAX);
  const edited = optionalJsonBody(config.BODY_BYTES_MAX);

  router.route('/').get(admin, listDeadLetters(store)).all(methodNotAllowed('GET, HEAD'));
  router.route('/replay').post(admin, body, replayDeadLetters(deadLetters)).all(methodNotAllowed('POST'));
  router.route('/purge').post(admin, body, purgeDeadLetters(deadLetters)).all(methodNotAllowed('POST'));
  router
    .route('/:id')
    .get(admin, showDeadLetter(store))
    .delete(admin, purgeDeadLetter(deadLetters))
    .all(methodNotAllowed('GET, HEAD, DELETE'));
  router
    .route('/:id/replay')
    .post(admin, edited, replayDeadLetter(deadLetters))
    .all(methodNotAllowed('POST'));
  return router;
}
