import Joi from 'joi';
import { activityFields, createParser, type Parsed, text } from '@event-tracker/shared/event';

/** Longest `writeKey`, in UTF-16 units. */
export const WRITE_KEY_LENGTH_MAX = 256;

const parseFields = createParser<{ sentAt?: string }>(
  Joi.object({
    sentAt: activityFields.timestamp.optional(),
    writeKey: text(WRITE_KEY_LENGTH_MAX).allow(''),
  }),
);

/** What the body of a batch says beside its events. `writeKey` is for collectors that ask for one; here it has no use. */
export function parseSentAt(body: unknown): Parsed<string | undefined> {
  const { sentAt, writeKey } = body as { sentAt?: unknown; writeKey?: unknown };
  if (sentAt === undefined && writeKey === undefined) return { ok: true, value: undefined };
  const parsed = parseFields({ sentAt, writeKey });
  return parsed.ok ? { ok: true, value: parsed.value.sentAt } : parsed;
}
