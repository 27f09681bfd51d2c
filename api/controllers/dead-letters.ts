import { type RequestHandler } from 'express';
import Joi from 'joi';
import {
  DEAD_LETTER_REASONS,
  type DeadLetterFilter,
  type DeadLetterPosition,
  type DeadLetterStore,
} from '@event-tracker/consumer/store/store';
import { Problem } from '../problems.ts';
import { type BulkFilter, type DeadLetters } from '../services/dead-letters.ts';
import { type Cursor, cursor, encodeCursor, limit, moment, parseQuery } from './page.ts';

const filters = {
  reason: Joi.string().valid(...DEAD_LETTER_REASONS),
  eventType: Joi.string(),
  from: moment,
  to: moment,
};
const names = Object.keys(filters);

const listSchema = Joi.object<DeadLetterFilter & { cursor?: Cursor }>({ ...filters, limit, cursor });

const bulkSchema = Joi.object<BulkFilter & { all?: true; cursor?: Cursor }>({
  ...filters,
  all: Joi.valid(true),
  cursor,
})
  .or('all', ...names)
  .without('all', names)
  .messages({
    'object.base': 'must be a JSON object',
    'object.missing': `must have at least one of ${names.join(', ')}, or "all": true`,
    'object.without': '"all" must not stand beside a filter',
  });

type ById = RequestHandler<{ id: string }>;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** GET of a page of dead letters without their bodies, newest first. */
export function listDeadLetters(store: DeadLetterStore): RequestHandler {
  return async (req, res) => {
    const { cursor: last, ...filter } = parseQuery(listSchema, req.query);
    const deadLetters = await store.listDead({ ...filter, ...afterOf(last) });
    const end = deadLetters.length === filter.limit ? deadLetters.at(-1) : undefined;
    res.json({ deadLetters, nextCursor: nextCursor(end) });
  };
}

/** GET of one dead letter with its bytes: as text when they are UTF-8, as Base64 otherwise. */
export function showDeadLetter(store: DeadLetterStore): ById {
  return async (req, res) => {
    const letter = await store.getDead(req.params.id);
    if (!letter) throw gone();
    const text = decodeUtf8(letter.body);
    const bodyBase64 = text === null ? letter.body.toString('base64') : null;
    res.json({ ...letter, body: text, bodyBase64 });
  };
}

/** POST: 202 once the queue holds the letter's event, or the edited one that is the body, and the letter is removed. */
export function replayDeadLetter(deadLetters: DeadLetters): ById {
  return async (req, res) => {
    const edited: unknown = req.body;
    const replay = await deadLetters.replay(req.params.id, edited);
    if (replay.status === 'gone') throw gone();
    if (replay.status === 'refused') {
      const how = edited === undefined ? ' Send the event, edited, as the body.' : '';
      throw new Problem('invalid-event', `The dead letter stays as it is.${how}`, replay.details);
    }
    res.status(202).json({ status: 'accepted', eventIds: replay.eventIds });
  };
}

/** DELETE of one dead letter, for good. */
export function purgeDeadLetter(deadLetters: DeadLetters): ById {
  return async (req, res) => {
    if (!(await deadLetters.purge(req.params.id))) throw gone();
    res.status(204).end();
  };
}

/** POST: replays the next letters of a filter; `nextCursor` is where the next call goes on. */
export function replayDeadLetters(deadLetters: DeadLetters): RequestHandler {
  return async (req, res) => {
    const { next, ...result } = await deadLetters.replayMany(bulkFilter(req.body));
    res.status(202).json({ ...result, nextCursor: nextCursor(next) });
  };
}

/** POST: removes the next letters of a filter, for good. */
export function purgeDeadLetters(deadLetters: DeadLetters): RequestHandler {
  return async (req, res) => {
    const { next, ...result } = await deadLetters.purgeMany(bulkFilter(req.body));
    res.json({ ...result, nextCursor: nextCursor(next) });
  };
}

function bulkFilter(body: unknown): BulkFilter {
  const { cursor: last, ...filter } = parseQuery(bulkSchema, body);
  delete filter.all;
  return { ...filter, ...afterOf(last) };
}

function afterOf(last: Cursor | undefined): { after?: DeadLetterPosition } {
  return last ? { after: { diedAt: last.at, id: last.id } } : {};
}

function nextCursor(end: DeadLetterPosition | undefined): string | null {
  return end ? encodeCursor({ at: end.diedAt, id: end.id }) : null;
}

function decodeUtf8(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

function gone(): Problem {
  return new Problem(
    'not-found',
    'No dead letter of this id is kept: it was replayed or purged, or never was.',
  );
}
