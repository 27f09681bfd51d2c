import { type Connection } from 'mongoose';
import { deadLetterSchema, type DeadLetterDocument } from '../models/dead-letter.ts';
import { cutBody } from './letter-body.ts';
import { type MongodbConnection } from './mongodb-connection.ts';
import { deadLetterConditions } from './mongodb-page.ts';
import { writeEach } from './mongodb-write.ts';
import { type DeadLetter, type DeadLetterStore } from './store.ts';

/** The part of the store that keeps dead letters, and the model whose indexes it needs. */
export function createMongodbDeadLetters(
  connection: Connection,
  call: MongodbConnection['call'],
  timeoutMs: number,
) {
  const model = connection.model('DeadLetter', deadLetterSchema);
  // Bulk writes go past Mongoose, which would convert documents that are complete already.
  const collection = connection.collection<DeadLetterDocument>(model.collection.name);

  const calls: DeadLetterStore = {
    async recordDead(deadLetters) {
      const documents = deadLetters.map(toLetterDocument);
      const outcomes = await call((durable) =>
        writeEach((some) => {
          const replacements = some.map((replacement) => ({
            replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
          }));
          return collection.bulkWrite(replacements, { ordered: false, ...durable });
        }, documents),
      );
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') throw new Error(`dead letter refused: ${outcome.error}`);
      }
    },

    listDead: (filter) =>
      call(async () => {
        const query = model
          .find(deadLetterConditions(filter), { body: 0 })
          .sort({ diedAt: -1, _id: -1 })
          .limit(filter.limit);
        return (await query.maxTimeMS(timeoutMs).lean()).map(({ _id, ...letter }) => ({
          id: _id,
          ...letter,
        }));
      }),

    getDead: (id) =>
      call(async () => {
        const query = model.findOne({ _id: id }, null, { promoteBuffers: true });
        const document = await query.maxTimeMS(timeoutMs).lean();
        return document && toLetter(document);
      }),

    deleteDead: (dead) =>
      call(async (durable) => {
        if (dead.length === 0) return 0;
        const deletions = dead.map(({ id, diedAt }) => ({ deleteOne: { filter: { _id: id, diedAt } } }));
        const result = await collection.bulkWrite(deletions, { ordered: false, ...durable });
        return result.deletedCount;
      }),
  };
  return { model, calls };
}

function toLetter({ _id, ...letter }: DeadLetterDocument): DeadLetter {
  return { id: _id, ...letter };
}

function toLetterDocument(letter: DeadLetter): DeadLetterDocument {
  const { id, ...kept } = cutBody(letter);
  return { _id: id, ...kept };
}
