import { type Connection, type mongo } from 'mongoose';
import { type ActivityDocument } from '../models/activity.ts';
import { pageOf, pagePaths } from './activity.ts';
import { type MongodbConnection } from './mongodb-connection.ts';
import { activityConditions } from './mongodb-page.ts';
import { type CountedActivity, type HourStore } from './store.ts';

const COUNTED_FIELDS = ['timestamp', 'userId', 'eventType', ...pagePaths];

/** The part of the store that reads activities for counting. */
export function createMongodbScan(
  connection: Connection,
  name: string,
  call: MongodbConnection['call'],
  timeoutMs: number,
): Pick<HourStore, 'scan'> {
  const activities = connection.collection<ActivityDocument>(name);
  const projection = Object.fromEntries(COUNTED_FIELDS.map((field) => [field, 1]));

  return {
    scan: (filter) =>
      call(async () => {
        const conditions = activityConditions(filter) as mongo.Filter<ActivityDocument>;
        const cursor = activities.find(conditions, {
          projection,
          sort: { timestamp: -1, _id: -1 },
          limit: filter.limit,
          // A secondary may not have yet what was saved before the claim.
          readPreference: 'primary',
          maxTimeMS: timeoutMs,
        });
        const counted: CountedActivity[] = [];
        // One by one: what names the page may be as large as an event.
        for await (const { _id, timestamp, userId, eventType, payload } of cursor)
          counted.push({ eventId: _id, timestamp, userId, eventType, page: pageOf(payload) });
        return counted;
      }),
  };
}
