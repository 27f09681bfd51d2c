import { Schema } from 'mongoose';

/** `_id` is the beginning of the hour. */
export interface ActivityHourDocument {
  _id: Date;
  isDirty: boolean;
  dirtyUntil: Date;
  /** It is not claimed before. */
  dueAt: Date;
  /** The claim under which it was counted; absent before the first time, as are the counts. */
  countedAt?: Date;
  /** JSON, as in every store: of a month of hours an object each would take longer to read than all else. */
  counts?: string;
}

const moment = { type: Date, required: true } as const;

export const activityHourSchema = new Schema<ActivityHourDocument>(
  {
    _id: moment,
    isDirty: { type: Boolean, required: true },
    dirtyUntil: moment,
    dueAt: moment,
    countedAt: Date,
    counts: String,
  },
  { collection: 'activity_hours', strict: 'throw', versionKey: false, autoIndex: false, autoCreate: false },
);

activityHourSchema.index({ isDirty: 1, _id: -1 }, { partialFilterExpression: { isDirty: true } });
