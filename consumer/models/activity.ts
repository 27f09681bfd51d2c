import { Schema } from 'mongoose';
import { type StoredActivity } from '../store/store.ts';

/** The event id is the document's `_id`: the one key that is unique on a sharded collection too. */
export interface ActivityDocument extends StoredActivity {
  _id: string;
}

const text = { type: String, required: true } as const;
const optionalText = { type: String, default: null } as const;
const moment = { type: Date, required: true } as const;

export const activitySchema = new Schema<ActivityDocument>(
  {
    _id: text,
    eventId: text,
    userId: text,
    eventType: text,
    timestamp: moment,
    payload: { type: Schema.Types.Mixed, required: true },
    source: text,
    processing: {
      receivedAt: moment,
      processedAt: moment,
      attempts: { type: Number, required: true },
      redelivered: { type: Boolean, required: true },
      worker: text,
      requestId: optionalText,
      ip: optionalText,
      userAgent: optionalText,
    },
  },
  // An empty payload is stored as {}; indexes are made by `prepare` alone, when someone waits for them.
  {
    collection: 'activities',
    strict: 'throw',
    minimize: false,
    versionKey: false,
    autoIndex: false,
    autoCreate: false,
  },
);

// Each ends with the order of a list, newest first with ids breaking ties, so that no list is ever sorted.
activitySchema.index({ userId: 1, timestamp: -1, _id: -1 });
activitySchema.index({ eventType: 1, timestamp: -1, _id: -1 });
activitySchema.index({ timestamp: -1, _id: -1 });
// Of the tail, which has no pages: what was stored at one moment stands in the order in which it came.
activitySchema.index({ 'processing.processedAt': 1 });
