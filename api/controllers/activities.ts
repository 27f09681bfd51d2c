import { type RequestHandler } from 'express';
import Joi from 'joi';
import { type ListFilter, type Position, type Store } from '@event-tracker/consumer/store/store';
import { parseTimestamp } from '@event-tracker/shared/event';
import { Problem } from '../problems.ts';

/** Most activities of one page. */
export const LIST_LIMIT_MAX = 500;
const LIST_LIMIT_DEFAULT = 50;

const moment = Joi.string().custom((text: string, helpers) => {
  const iso = parseTimestamp(text);
  return iso === undefined ? helpers.error('moment') : new Date(iso);
});
const cursor = Joi.string().custom((text: string, helpers) => decodeCursor(text) ?? helpers.error('cursor'));

type ListQuery = ListFilter & { cursor?: Position };

const querySchema = Joi.object<ListQuery>({
  userId: Joi.string(),
  eventType: Joi.string(),
  from: moment,
  to: moment,
  limit: Joi.number().integer().min(1).max(LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
  cursor,
}).messages({
  moment: 'must be an ISO 8601 date and time, for example 2023-10-27T10:00:00Z',
  cursor: 'must be a nextCursor of an answer before',
  'object.unknown': 'is not a known parameter',
});

/** GET of a page of activities, newest first. */
export function listActivities(store: Store): RequestHandler {
  return async (req, res) => {
    const query = querySchema.validate(req.query, { abortEarly: false, errors: { label: false } });
    if (query.error) {
      const details = query.error.details.map(({ path, message }) => ({ field: path.join('.'), message }));
      throw new Problem('invalid-query', 'Nothing was read.', details);
    }
    const { cursor: after, ...filter } = query.value;
    const activities = await store.list(after ? { ...filter, after } : filter);
    const last = activities.length === filter.limit ? activities.at(-1) : undefined;
    res.json({ activities, nextCursor: last ? encodeCursor(last) : null });
  };
}

/** GET of one activity by its id. */
export function showActivity(store: Store): RequestHandler<{ eventId: string }> {
  return async (req, res) => {
    const activity = await store.get(req.params.eventId);
    if (!activity)
      throw new Problem('not-found', 'No event of this id is stored, or it is still on its way.');
    res.json(activity);
  };
}

function encodeCursor({ timestamp, eventId }: Position): string {
  return Buffer.from(JSON.stringify([timestamp.getTime(), eventId])).toString('base64url');
}

function decodeCursor(text: string): Position | undefined {
  try {
    const [time, eventId] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    if (typeof time !== 'number' || typeof eventId !== 'string') return undefined;
    const timestamp = new Date(time);
    return Number.isNaN(timestamp.getTime()) ? undefined : { timestamp, eventId };
  } catch {
    return undefined;
  }
}
