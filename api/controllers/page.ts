import Joi from 'joi';
import { type FieldError } from '@event-tracker/shared/errors';
import { parseTimestamp } from '@event-tracker/shared/event';
import { Problem } from '../problems.ts';

/** Most items of one page. */
export const LIST_LIMIT_MAX = 500;
const LIST_LIMIT_DEFAULT = 50;

/** The last item of a page: where the next one begins. */
export interface Cursor {
  at: Date;
  id: string;
}

export const moment = Joi.string().custom((text: string, helpers) => {
  const iso = parseTimestamp(text);
  return iso === undefined ? helpers.error('moment') : new Date(iso);
});

export const limit = Joi.number().integer().min(1).max(LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT);

export const cursor = Joi.string().custom(
  (text: string, helpers) => decodeCursor(text) ?? helpers.error('cursor'),
);

const messages: Joi.LanguageMessages = {
  moment: 'must be an ISO 8601 date and time, for example 2023-10-27T10:00:00Z',
  cursor: 'must be a nextCursor of an answer before',
  'object.unknown': 'is not a known parameter',
};

/** What a client asks for; throws a Problem that names every wrong parameter. */
export function parseQuery<T>(schema: Joi.ObjectSchema<T>, query: unknown): T {
  const result = schema
    .required()
    .messages(messages)
    .validate(query, { abortEarly: false, errors: { label: false } });
  if (!result.error) return result.value;
  const details: FieldError[] = result.error.details.map(({ path, message }) => ({
    field: path.join('.'),
    message,
  }));
  throw new Problem('invalid-query', 'Nothing was done.', details);
}

export function encodeCursor({ at, id }: Cursor): string {
  return Buffer.from(JSON.stringify([at.getTime(), id])).toString('base64url');
}

function decodeCursor(text: string): Cursor | undefined {
  try {
    const [time, id] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    if (typeof time !== 'number' || typeof id !== 'string') return undefined;
    const at = new Date(time);
    return Number.isNaN(at.getTime()) ? undefined : { at, id };
  } catch {
    return undefined;
  }
}
