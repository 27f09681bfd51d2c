import { type Connection } from 'mongoose';
import { addCounts, mapCounts, noCounts } from '@event-tracker/shared/process-report';
import { type ProcessDocument, processSchema } from '../models/process.ts';
import { type MongodbConnection } from './mongodb-connection.ts';
import { type Store } from './store.ts';

/** The `_id` of the sum of folded reports. */
const SUM = 'ended';
/** Ids that the sum remembers, so that two who fold the same report add it once. */
const FOLDED_IDS_MAX = 1000;

type Processes = Pick<Store, 'reportProcess' | 'listProcesses' | 'foldProcesses'>;

/** The reports of processes in the collection `processes`. A report that is `ended` never changes again. */
export function createMongodbProcesses(connection: Connection, call: MongodbConnection['call']): Processes {
  const processes = connection.model('Process', processSchema);

  return {
    reportProcess: ({ id, ...report }, isFirst) =>
      call(async (durable) => {
        const running = { _id: id, ended: false };
        const options = { upsert: isFirst, ...durable };
        const { matchedCount } = await processes.updateOne(running, { $set: report }, options);
        return isFirst || matchedCount === 1;
      }),

    listProcesses: () =>
      call(async () => {
        const documents = await processes.find().sort({ startedAt: 1, _id: 1 }).lean();
        const sum = documents.find(({ _id }) => _id === SUM);
        // Between the two steps of folding a report is there and in the sum.
        const counted = new Set([SUM, ...(sum?.folded ?? [])]);
        return {
          processes: documents.filter(({ _id }) => !counted.has(_id)).map(toReport),
          folded: addCounts(noCounts(), { ...noCounts(), ...sum?.counts }),
        };
      }),

    foldProcesses: (silentSince) =>
      call(async (durable) => {
        const silent = { _id: { $ne: SUM }, ended: false, reportedAt: { $lt: silentSince } };
        await processes.updateMany(silent, { $set: { ended: true } }, durable);
        const ended = await processes.find({ _id: { $ne: SUM }, ended: true }).lean();
        if (ended.length === 0) return;
        await processes.updateOne(
          { _id: SUM },
          { $setOnInsert: { folded: [] } },
          { upsert: true, ...durable },
        );
        for (const { _id, counts } of ended) {
          const unfolded = { _id: SUM, folded: { $ne: _id } };
          const added = Object.fromEntries(
            Object.entries(counts).map(([name, count]) => [`counts.${name}`, count]),
          );
          const remember = { folded: { $each: [_id], $slice: -FOLDED_IDS_MAX } };
          await processes.updateOne(unfolded, { $inc: added, $push: remember }, durable);
          await processes.deleteOne({ _id }, durable);
        }
      }),
  };
}

function toReport({ _id, folded: _folded, ...report }: ProcessDocument) {
  return { id: _id, ...report, counts: mapCounts((name) => report.counts[name] ?? 0) };
}
