import { Schema } from 'mongoose';
import { ATTEMPTS_TTL_MS } from '../store/store.ts';

/** How often a message was begun and had no verdict; `_id` is its key. */
export interface DeliveryAttemptsDocument {
  _id: string;
  attempts: number;
  countedAt: Date;
}

export const deliveryAttemptsSchema = new Schema<DeliveryAttemptsDocument>(
  {
    _id: { type: String, required: true },
    attempts: { type: Number, required: true },
    countedAt: { type: Date, required: true },
  },
  {
    collection: 'delivery_attempts',
    strict: 'throw',
    versionKey: false,
    autoIndex: false,
    autoCreate: false,
  },
);

deliveryAttemptsSchema.index({ countedAt: 1 }, { expireAfterSeconds: ATTEMPTS_TTL_MS / 1000 });
