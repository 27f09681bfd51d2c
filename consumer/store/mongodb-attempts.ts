import { type Connection } from 'mongoose';
import { deliveryAttemptsSchema, type DeliveryAttemptsDocument } from '../models/delivery-attempts.ts';
import { type MongodbConnection } from './mongodb-connection.ts';
import { type AttemptStore } from './store.ts';

/** Counts outlive a worker, which is what they are for. One that a crash of the database takes costs one attempt more. */
const UNJOURNALED = { writeConcern: { w: 1 } } as const;

/** The part of the store that counts attempts, and the model whose index lets old ones go. */
export function createMongodbAttempts(
  connection: Connection,
  call: MongodbConnection['call'],
  timeoutMs: number,
) {
  const model = connection.model('DeliveryAttempts', deliveryAttemptsSchema);
  const collection = connection.collection<DeliveryAttemptsDocument>(model.collection.name);

  const calls: AttemptStore = {
    readAttempts: (keys) =>
      call(async () => {
        const counted = await model
          .find({ _id: { $in: keys } })
          .maxTimeMS(timeoutMs)
          .lean();
        const byKey = new Map(counted.map((document) => [document._id, document.attempts]));
        return keys.map((key) => byKey.get(key) ?? 0);
      }),

    async countAttempts(keys) {
      if (keys.length === 0) return;
      const update = { $inc: { attempts: 1 }, $set: { countedAt: new Date() } };
      const updates = keys.map((key) => ({ updateOne: { filter: { _id: key }, update, upsert: true } }));
      await call(() => collection.bulkWrite(updates, { ordered: false, ...UNJOURNALED }));
    },

    async forgetAttempts(keys) {
      await call(() => model.deleteMany({ _id: { $in: keys } }, UNJOURNALED));
    },
  };
  return { model, calls };
}
