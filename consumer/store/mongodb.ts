import { ConfigurationError } from '@event-tracker/shared/errors';
import { activitySchema, type ActivityDocument } from '../models/activity.ts';
import { toActivity } from './activity.ts';
import { createMongodbAttempts } from './mongodb-attempts.ts';
import { createMongodbConnection } from './mongodb-connection.ts';
import { createMongodbDeadLetters } from './mongodb-dead-letters.ts';
import { createMongodbHours } from './mongodb-hours.ts';
import { writeEach } from './mongodb-write.ts';
import { type TailDocument, tailPipeline, toHead } from './mongodb-tail.ts';
import { createMongodbScan } from './mongodb-scan.ts';
import { createMongodbProcesses } from './mongodb-processes.ts';
import { activityConditions } from './mongodb-page.ts';
import { type Store, type StoredActivity, type StoreOptions } from './store.ts';

/** Complete documents need no conversion, and without one Mongoose drops none silently. */
const UNORDERED = { ordered: false, lean: true } as const;

/** A store on MongoDB, in the database that the URL names; it connects with its first call. */
export function createMongodbStore(url: string, { worker, timeoutMs }: StoreOptions): Store {
  const { connection, call, close } = createMongodbConnection(url, timeoutMs);
  const activities = connection.model('Activity', activitySchema);
  const deadLetters = createMongodbDeadLetters(connection, call, timeoutMs);
  const attempts = createMongodbAttempts(connection, call, timeoutMs);
  const hours = createMongodbHours(connection, call, timeoutMs);

  return {
    ...deadLetters.calls,
    ...attempts.calls,
    ...hours.calls,
    ...createMongodbScan(connection, activities.collection.name, call, timeoutMs),

    async prepare() {
      const createIndexes = [activities, deadLetters.model, attempts.model, hours.model].map(
        (model) => () => model.createIndexes(),
      );
      await call(() => Promise.all(createIndexes.map((create) => create())), ConfigurationError);
    },

    save(deliveries) {
      const processedAt = new Date();
      const documents = deliveries.map((delivery) => toDocument(toActivity(delivery, worker, processedAt)));
      return call((durable) =>
        writeEach((some) => activities.insertMany(some, { ...UNORDERED, ...durable }), documents),
      );
    },

    list: (filter) =>
      call(async () => {
        const query = activities
          .find(activityConditions(filter))
          .sort({ timestamp: -1, _id: -1 })
          .limit(filter.limit);
        return (await query.maxTimeMS(timeoutMs).lean()).map(fromDocument);
      }),

    get: (eventId) =>
      call(async () => {
        const document = await activities.findOne({ _id: eventId }).maxTimeMS(timeoutMs).lean();
        return document && fromDocument(document);
      }),

    tail: (filter) =>
      call(async () => {
        const query = activities.aggregate<TailDocument>(tailPipeline(filter));
        return (await query.option({ maxTimeMS: timeoutMs })).map(toHead);
      }),

    ...createMongodbProcesses(connection, call),

    async ping() {
      await call(() => connection.getClient().db('admin').command({ ping: 1 }));
    },

    close,
  };
}

function toDocument(activity: StoredActivity): ActivityDocument {
  // Each field by its name: a spread behind a field takes V8 several times as long.
  const { eventId, userId, eventType, timestamp, payload, source, processing } = activity;
  return { _id: eventId, eventId, userId, eventType, timestamp, payload, source, processing };
}

function fromDocument({ _id, ...activity }: ActivityDocument): StoredActivity {
  return activity;
}
