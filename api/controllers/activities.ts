import { type RequestHandler } from 'express';
import Joi from 'joi';
import { type ListFilter, type Store } from '@event-tracker/consumer/store/store';
import { Problem } from '../problems.ts';
import { type Cursor, cursor, encodeCursor, limit, LIST_LIMIT_MAX, moment, parseQuery } from './page.ts';

const querySchema = Joi.object<ListFilter & { cursor?: Cursor }>({
  userId: Joi.string(),
  eventType: Joi.string(),
  from: moment,
  to: moment,
  limit,
  cursor,
});

const latestSchema = Joi.object<{ limit: number }>({ limit: limit.default(LIST_LIMIT_MAX) });

/** GET of a page of activities, newest first. */
export function listActivities(store: Store): RequestHandler {
  return async (req, res) => {
    const { cursor: last, ...filter } = parseQuery(querySchema, req.query);
    const after = last && { timestamp: last.at, eventId: last.id };
    const activities = await store.list({ ...filter, ...(after && { after }) });
    const end = activities.length === filter.limit ? activities.at(-1) : undefined;
    const nextCursor = end ? encodeCursor({ at: end.timestamp, id: end.eventId }) : null;
    res.json({ activities, nextCursor });
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

/** GET of the latest events as `/events/generate` takes them: in the order in which they happened. */
export function listProcessed(store: Store): RequestHandler {
  return async (req, res) => {
    const latest = await store.list(parseQuery(latestSchema, req.query));
    const events = latest.map(({ eventId, userId, eventType, timestamp, payload }) => ({
      eventId,
      userId,
      eventType,
      timestamp,
      payload,
    }));
    res.json(events.reverse());
  };
}
