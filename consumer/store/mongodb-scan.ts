import { type Connection, type mongo } from 'mongoose';
import { type ActivityDocument } from '../models/activity.ts';
import { type MongodbConnection } from './mongodb-connection.ts';
import { activityConditions } from './mongodb-page.ts';
import { cut } from './mongodb-tail.ts';
import { cutPage, PAGE_FIELDS, PAGE_LENGTH_MAX } from './page.ts';
import { type CountedPage, type HourStore, type Position } from './store.ts';

/**
 * One document with three arrays: as documents of their own, a worker took 10 µs for each activity, and not 3, most of them
 * to make objects of BSON and to collect those as garbage.
 */
const COLUMNS = {
  count: { $sum: 1 },
  eventTypes: { $push: '$eventType' },
  userIds: { $push: '$userId' },
  // What is missing is not pushed.
  pages: {
    $push: {
      $ifNull: [...PAGE_FIELDS.map((field) => cut(`$payload.${field}`, PAGE_LENGTH_MAX)), '$$REMOVE'],
    },
  },
  eventId: { $last: '$_id' },
  timestamp: { $last: '$timestamp' },
};
type Columns = Omit<CountedPage, 'next'> & Position & { count: number };

/** The part of the store that reads activities for counting. */
export function createMongodbScan(
  connection: Connection,
  name: string,
  call: MongodbConnection['call'],
  timeoutMs: number,
): Pick<HourStore, 'scan'> {
  const activities = connection.collection<ActivityDocument>(name);

  return {
    scan: (filter) =>
      call(async () => {
        const pipeline = [
          { $match: activityConditions(filter) as mongo.Filter<ActivityDocument> },
          { $sort: { timestamp: -1, _id: -1 } },
          { $limit: filter.limit },
          { $group: { _id: null, ...COLUMNS } },
        ];
        // A secondary may not have yet what was saved before the claim.
        const options = { readPreference: 'primary', maxTimeMS: timeoutMs } as const;
        const [columns] = await activities.aggregate<Columns>(pipeline, options).toArray();
        if (!columns) return { eventTypes: [], userIds: [], pages: [], next: null };
        const { eventTypes, userIds, pages, eventId, timestamp, count } = columns;
        const isFull = count === filter.limit;
        return {
          eventTypes,
          userIds,
          pages: pages.map(cutPage),
          next: isFull ? { eventId, timestamp } : null,
        };
      }),
  };
}
