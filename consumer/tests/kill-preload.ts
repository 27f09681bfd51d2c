/**
 * Loaded into a worker before its program: the first time that it marks hours, with events saved and not acknowledged,
 * it is killed, as `KILL_AT` says right before the mark or right behind it.
 */
import mongoose from 'mongoose';

const { prototype } = mongoose.mongo.Collection;
type BulkWrite = typeof prototype.bulkWrite;
/** As it was; it is called with the collection on which the other one below is called. */
const bulkWrite = Reflect.get(prototype, 'bulkWrite');

prototype.bulkWrite = async function (...args: Parameters<BulkWrite>) {
  // An hour that nobody has marked is found by itself, without events that wait for it.
  const isMark = this.collectionName === 'activity_hours' && args[0].length > 1;
  if (isMark && process.env.KILL_AT === 'before') process.kill(process.pid, 'SIGKILL');
  const result = await bulkWrite.apply(this, args);
  if (isMark && process.env.KILL_AT === 'behind') process.kill(process.pid, 'SIGKILL');
  return result;
};
