import { type PipelineStage } from 'mongoose';
import { type ActivityDocument } from '../models/activity.ts';
import { PAGE_FIELDS, PAGE_LENGTH_MAX, pageOf } from './page.ts';
import { type ActivityHead, HEAD_TEXT_LENGTH_MAX, type TailFilter } from './store.ts';

/** What the pipeline brings of an activity. */
export type TailDocument = Omit<ActivityDocument, 'payload'> & { payload?: Record<string, unknown> };

/** The beginning of a field where it is a text: a payload may be as large as a document. */
export const cut = (field: string, lengthMax: number) => ({
  $cond: [{ $eq: [{ $type: field }, 'string'] }, { $substrCP: [field, 0, lengthMax] }, '$$REMOVE'],
});

const head = {
  ...{ userId: 1, eventType: 1, timestamp: 1, source: cut('$source', HEAD_TEXT_LENGTH_MAX) },
  ...{ 'processing.receivedAt': 1, 'processing.processedAt': 1 },
  payload: Object.fromEntries(PAGE_FIELDS.map((field) => [field, cut(`$payload.${field}`, PAGE_LENGTH_MAX)])),
};

/** The query of a tail. */
export function tailPipeline({ since, limit }: TailFilter): PipelineStage[] {
  return [
    { $match: { 'processing.processedAt': { $gte: since } } },
    { $sort: { 'processing.processedAt': -1 } },
    { $limit: limit },
    { $project: head },
  ];
}

export function toHead({ _id, processing, payload = {}, ...rest }: TailDocument): ActivityHead {
  const { userId, eventType, timestamp, source } = rest;
  const { receivedAt, processedAt } = processing;
  return {
    eventId: _id,
    userId,
    eventType,
    timestamp,
    page: pageOf(payload),
    source,
    receivedAt,
    processedAt,
  };
}
