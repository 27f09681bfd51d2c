import { Schema } from 'mongoose';
import { type DeadLetter } from '../store/store.ts';

/** The letter's own id is the document's `_id`, so that a redelivery finds the letter that is there. */
export interface DeadLetterDocument extends Omit<DeadLetter, 'id'> {
  _id: string;
}

const text = { type: String, required: true } as const;
const optionalText = { type: String, default: null } as const;

export const deadLetterSchema = new Schema<DeadLetterDocument>(
  {
    _id: text,
    reason: text,
    error: text,
    details: { type: [{ _id: false, field: String, message: String }], required: true },
    body: { type: Buffer, required: true },
    eventId: optionalText,
    eventType: optionalText,
    attempts: { type: Number, required: true },
    diedAt: { type: Date, required: true },
    worker: text,
  },
  { collection: 'dead_letters', strict: 'throw', versionKey: false, autoIndex: false, autoCreate: false },
);

// Each ends with the order of a list, as those of the activities do.
deadLetterSchema.index({ reason: 1, diedAt: -1, _id: -1 });
deadLetterSchema.index({ eventType: 1, diedAt: -1, _id: -1 });
deadLetterSchema.index({ diedAt: -1, _id: -1 });
