import { type QueryFilter } from 'mongoose';
import { type ActivityDocument } from '../models/activity.ts';
import { type DeadLetterDocument } from '../models/dead-letter.ts';
import { type DeadLetterFilter, type ListFilter } from './store.ts';

/** The query of a list of activities. */
export function activityConditions(filter: ListFilter): QueryFilter<ActivityDocument> {
  const { userId, eventType, from, to, after } = filter;
  const same = { ...(userId !== undefined && { userId }), ...(eventType !== undefined && { eventType }) };
  return conditions('timestamp', same, from, to, after && { at: after.timestamp, id: after.eventId });
}

/** The query of a list of dead letters. */
export function deadLetterConditions(filter: DeadLetterFilter): QueryFilter<DeadLetterDocument> {
  const { reason, eventType, from, to, after } = filter;
  const same = { ...(reason !== undefined && { reason }), ...(eventType !== undefined && { eventType }) };
  return conditions('diedAt', same, from, to, after && { at: after.diedAt, id: after.id });
}

function conditions(
  time: string,
  same: object,
  from: Date | undefined,
  to: Date | undefined,
  after: { at: Date; id: string } | undefined,
): object {
  const since = from && { $gte: from };
  const before = to && { $lt: to };
  if (!after) return since || before ? { ...same, [time]: { ...since, ...before } } : same;
  // Two ranges of one index, which the server merges in order: a page costs the same wherever it begins.
  const ranges = [
    { ...same, [time]: { ...since, $lt: to && to < after.at ? to : after.at } },
    { ...same, [time]: { ...since, ...before, $eq: after.at }, _id: { $lt: after.id } },
  ];
  return { $or: ranges };
}
