import { type Connection } from 'mongoose';
import { type ActivityHourDocument, activityHourSchema, DIRTY_INDEX } from '../models/activity-hour.ts';
import { type MongodbConnection } from './mongodb-connection.ts';
import { CLAIM_MS, type HourCounts, type HourStore, MARK_MS, RECOUNT_MS } from './store.ts';

/** One command marks so many hours: each has the time of a call for itself, and ten thousand take a slow machine longer. */
const MARKED_AT_ONCE_MAX = 1000;
/** Counts that a crash of the database takes leave the hour as dirty as it was. */
const UNJOURNALED = { writeConcern: { w: 1 } } as const;

const fromNow = (ms: number) => ({ $add: ['$$NOW', ms] });

/** The part of the store that keeps what is counted by hour, and the model whose index it needs. */
export function createMongodbHours(
  connection: Connection,
  call: MongodbConnection['call'],
  timeoutMs: number,
) {
  const model = connection.model('ActivityHour', activityHourSchema);
  // Updates by pipelines, which have the database's clock, are nothing that Mongoose could convert.
  const collection = connection.collection<ActivityHourDocument>(model.collection.name);

  const calls: Omit<HourStore, 'scan'> = {
    async markHours(hours, forMs = MARK_MS) {
      const dirtyUntil = { $max: ['$dirtyUntil', fromNow(forMs)] };
      const update = [{ $set: { isDirty: true, dirtyUntil, dueAt: { $ifNull: ['$dueAt', '$$NOW'] } } }];
      for (let first = 0; first < hours.length; first += MARKED_AT_ONCE_MAX) {
        const updates = hours
          .slice(first, first + MARKED_AT_ONCE_MAX)
          .map((hour) => ({ updateOne: { filter: { _id: hour }, update, upsert: true } }));
        await call((durable) => collection.bulkWrite(updates, { ordered: false, ...durable }));
      }
    },

    claimHour: () =>
      call(async () => {
        const due = { isDirty: true, $expr: { $lte: ['$dueAt', '$$NOW'] } };
        const claim = [{ $set: { dueAt: fromNow(CLAIM_MS) } }];
        const claimed = await collection.findOneAndUpdate(due, claim, {
          sort: { _id: -1 },
          // The planner might as well look through all hours in their order.
          hint: DIRTY_INDEX,
          returnDocument: 'after',
          maxTimeMS: timeoutMs,
        });
        // Counted back, the new moment tells the database's clock.
        return claimed && { hour: claimed._id, claimedAt: new Date(claimed.dueAt.getTime() - CLAIM_MS) };
      }),

    async keepHour({ hour, claimedAt }, counts) {
      const isLatest = { _id: hour, countedAt: { $not: { $gte: claimedAt } } };
      const record = {
        isDirty: { $gte: ['$dirtyUntil', claimedAt] },
        dueAt: fromNow(RECOUNT_MS),
        countedAt: claimedAt,
        counts: { $literal: JSON.stringify(counts) },
      };
      await call(() => collection.updateOne(isLatest, [{ $set: record }], UNJOURNALED));
    },

    listHours: (from, to) =>
      call(async () => {
        const query = model
          .find({ _id: { $gte: from, $lt: to } }, { isDirty: 1, counts: 1 })
          // What a worker has written is UTF-8; to look at millions of its characters took a quarter of an overview.
          .setOptions({ enableUtf8Validation: false })
          .sort({ _id: 1 });
        return (await query.maxTimeMS(timeoutMs).lean()).map(({ _id, isDirty, counts }) => ({
          hour: _id,
          isDirty,
          counts: counts === undefined ? null : (JSON.parse(counts) as HourCounts),
        }));
      }),
  };
  return { model, calls };
}
