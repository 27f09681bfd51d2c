import { Schema } from 'mongoose';
import { type Counts, type ProcessReport } from '@event-tracker/shared/process-report';

/** The document of one process, or the one into which the counts of ended processes are folded. */
export interface ProcessDocument extends Omit<ProcessReport, 'id'> {
  _id: string;
  counts: Counts;
  /** In the latter: the ids of processes folded last. */
  folded?: string[];
}

const anything = { type: Schema.Types.Mixed } as const;

export const processSchema = new Schema<ProcessDocument>(
  {
    _id: { type: String, required: true },
    service: String,
    name: String,
    startedAt: Date,
    reportedAt: Date,
    ended: Boolean,
    counts: anything,
    inFlight: Number,
    depth: Number,
    quietMs: Number,
    rates: anything,
    latencies: anything,
    limiterDegraded: Boolean,
    folded: { type: [String], default: undefined },
  },
  {
    collection: 'processes',
    strict: 'throw',
    minimize: false,
    versionKey: false,
    autoIndex: false,
    autoCreate: false,
  },
);
