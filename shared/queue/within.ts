import { QueueUnavailable } from '../errors.ts';

const TICKS = 10;

/**
 * Passes a promise on; rejects with QueueUnavailable once it has taken longer than `timeoutMs`. The time is taken in
 * ticks, of which a stall of this process costs one: what has answered meanwhile is not taken for being away.
 */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    let ticksLeft = TICKS;
    timer = setInterval(() => {
      if (--ticksLeft === 0) reject(new QueueUnavailable(`no answer within ${timeoutMs} ms`));
    }, timeoutMs / TICKS);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearInterval(timer);
  }
}
