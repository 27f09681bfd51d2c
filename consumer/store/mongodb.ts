import { type QueryFilter } from 'mongoose';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { activitySchema, type ActivityDocument } from '../models/activity.ts';
import { deadLetterSchema, type DeadLetterDocument } from '../models/dead-letter.ts';
import { createMongodbConnection } from './mongodb-connection.ts';
import { insertEach } from './mongodb-insert.ts';
import { createMongodbProcesses } from './mongodb-processes.ts';
import {
  type DeadLetter,
  type Delivery,
  type ListFilter,
  type Store,
  type StoredActivity,
  type StoreOptions,
} from './store.ts';

/** A document ends at 16 MiB. No event is that large; of a foreign message that is, the letter keeps the beginning. */
const LETTER_BODY_BYTES_MAX = 15 * 1024 * 1024;

/** Complete documents need no conversion, and without one Mongoose drops none silently. */
const UNORDERED = { ordered: false, lean: true } as const;

/** A store on MongoDB, in the database that the URL names; it connects with its first call. */
export function createMongodbStore(url: string, { worker, timeoutMs }: StoreOptions): Store {
  const { connection, call, close } = createMongodbConnection(url, timeoutMs);
  const activities = connection.model('Activity', activitySchema);
  const letters = connection.model('DeadLetter', deadLetterSchema);

  return {
    async prepare() {
      const createIndexes = () => Promise.all([activities.createIndexes(), letters.createIndexes()]);
      await call(createIndexes, ConfigurationError);
    },

    save(deliveries) {
      const processedAt = new Date();
      const documents = deliveries.map((delivery) => toDocument(delivery, worker, processedAt));
      return call((durable) =>
        insertEach((some) => activities.insertMany(some, { ...UNORDERED, ...durable }), documents),
      );
    },

    async recordDead(deadLetters) {
      const documents = deadLetters.map(toLetterDocument);
      const outcomes = await call((durable) =>
        insertEach((some) => letters.insertMany(some, { ...UNORDERED, ...durable }), documents),
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') throw new Error(`dead letter refused: ${outcome.error}`);
      }
      return outcomes.map(({ status }) => status === 'stored');
    },

    list: (filter) =>
      call(async () => {
        const query = activities
          .find(conditions(filter))
          .sort({ timestamp: -1, _id: -1 })
          .limit(filter.limit);
        return (await query.maxTimeMS(timeoutMs).lean()).map(toActivity);
      }),

    get: (eventId) =>
      call(async () => {
        const document = await activities.findOne({ _id: eventId }).maxTimeMS(timeoutMs).lean();
        return document && toActivity(document);
      }),

    listDead: (limit) =>
      call(async () => {
        const query = letters.find({}, null, { promoteBuffers: true }).sort({ diedAt: -1, _id: -1 });
        return (await query.limit(limit).maxTimeMS(timeoutMs).lean()).map(toLetter);
      }),

    ...createMongodbProcesses(connection, call),

    async ping() {
      await call(() => connection.getClient().db('admin').command({ ping: 1 }));
    },

    close,
  };
}

function toDocument({ event, attempts, redelivered }: Delivery, worker: string, processedAt: Date) {
  const { eventId, userId, eventType, timestamp, payload, source, receivedAt, requestId, ip, userAgent } =
    event;
  return {
    _id: eventId,
    eventId,
    userId,
    eventType,
    timestamp: new Date(timestamp),
    payload,
    source,
    processing: {
      receivedAt: new Date(receivedAt),
      processedAt,
      attempts,
      redelivered,
      worker,
      requestId,
      ip,
      userAgent,
    },
  } satisfies ActivityDocument;
}

function toActivity({ _id, ...activity }: ActivityDocument): StoredActivity {
  return activity;
}

function toLetter({ _id, ...letter }: DeadLetterDocument): DeadLetter {
  return { id: _id, ...letter };
}

function toLetterDocument({ id, ...letter }: DeadLetter): DeadLetterDocument {
  const { length } = letter.body;
  if (length <= LETTER_BODY_BYTES_MAX) return { _id: id, ...letter };
  return {
    _id: id,
    ...letter,
    error: `${letter.error} (of its ${length} bytes the first ${LETTER_BODY_BYTES_MAX} are kept)`,
    body: letter.body.subarray(0, LETTER_BODY_BYTES_MAX),
  };
}

/** The query of a list; exported for the test of its plan. */
export function conditions({
  userId,
  eventType,
  from,
  to,
  after,
}: ListFilter): QueryFilter<ActivityDocument> {
  const same = { ...(userId !== undefined && { userId }), ...(eventType !== undefined && { eventType }) };
  const since = from && { $gte: from };
  const before = to && { $lt: to };
  if (!after) return since || before ? { ...same, timestamp: { ...since, ...before } } : same;
  // Two ranges of one index, which the server merges in order: a page costs the same wherever it begins.
  const ranges = [
    { ...same, timestamp: { ...since, $lt: to && to < after.timestamp ? to : after.timestamp } },
    { ...same, timestamp: { ...since, ...before, $eq: after.timestamp }, _id: { $lt: after.eventId } },
  ];
  return { $or: ranges };
}
