import { StoreUnavailable } from '@event-tracker/shared/errors';

const TICKS = 10;

/**
 * Bounds all steps of a call together. The time is taken in ticks, of which a stall of this process, as by messages of
 * many megabytes, costs one: the database is not away then.
 */
export async function within<T>(timeoutMs: number, database: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    let ticksLeft = TICKS;
    timer = setInterval(() => {
      if (--ticksLeft === 0) reject(new StoreUnavailable(`${database}: no answer within ${timeoutMs} ms`));
    }, timeoutMs / TICKS);
  });
  try {
    return await Promise.race([work(), tooLate]);
  } finally {
    clearInterval(timer);
  }
}
