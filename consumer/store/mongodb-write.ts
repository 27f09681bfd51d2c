import mongoose from 'mongoose';
import { callFault, isOutOfRange, messageOf, writeErrorFault } from './mongodb-errors.ts';
import { type SaveOutcome } from './store.ts';

const STORED: SaveOutcome = { status: 'stored' };

/**
 * Inserts or upserts documents in one unordered write and tells of each what became of it: one that is refused, or there
 * already, keeps none of the others from being stored. Rejects with the driver's error when the call has to be made again.
 */
export async function writeEach<T>(
  writeUnordered: (documents: T[]) => Promise<unknown>,
  documents: T[],
): Promise<SaveOutcome[]> {
  if (documents.length === 0) return [];
  try {
    await writeUnordered(documents);
    return new Array<SaveOutcome>(documents.length).fill(STORED);
  } catch (error) {
    const outcomes = outcomesOf(error, documents.length);
    if (outcomes) return outcomes;
    if (callFault(error) !== 'rejected') throw error;
    if (documents.length === 1) return [{ status: 'rejected', error: refusalOf(error) }];
    // The driver or the server refused the call as a whole for one document that it does not name.
    const half = documents.length >> 1;
    const first = await writeEach(writeUnordered, documents.slice(0, half));
    return [...first, ...(await writeEach(writeUnordered, documents.slice(half)))];
  }
}

/** The outcomes of a call that the server took; undefined when it has to be made again, or in part did not arrive. */
function outcomesOf(error: unknown, count: number): SaveOutcome[] | undefined {
  if (!(error instanceof mongoose.mongo.MongoBulkWriteError)) return undefined;
  const writeErrors = [error.writeErrors].flat();
  if (writeErrors.length === 0 || error.result.getWriteConcernError()) return undefined;
  // Of a large call that broke off, some documents are neither written nor refused.
  const written = error.insertedCount + error.upsertedCount + error.matchedCount;
  if (written + writeErrors.length !== count) return undefined;
  const outcomes = new Array<SaveOutcome>(count).fill(STORED);
  for (const writeError of writeErrors) {
    const fault = writeErrorFault(writeError);
    if (fault === 'unavailable') return undefined;
    const text = `${writeError.errmsg ?? 'write error'} (code ${String(writeError.code)})`;
    outcomes[writeError.index] =
      fault === 'duplicate' ? { status: 'duplicate' } : { status: 'rejected', error: text };
  }
  return outcomes;
}

function refusalOf(error: unknown): string {
  return isOutOfRange(error) ? 'the document is too large or nested too deeply' : messageOf(error);
}
