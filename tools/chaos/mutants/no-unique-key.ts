import { randomUUID } from 'node:crypto';
import mongoose from 'mongoose';

/** A mutant: the event id is no longer the key of the document, so that a duplicate is stored again. */
type InsertMany = (this: unknown, documents: object[], options: object) => Promise<unknown>;
const model = mongoose.Model as unknown as { insertMany: InsertMany };
const { insertMany } = model;
model.insertMany = function (this: unknown, documents, options) {
  return insertMany.call(
    this,
    documents.map((document) => ({ ...document, _id: randomUUID() })),
    options,
  );
};
