import { type DeadLetter } from './store.ts';

/** No event is that large, and every store takes it; of a foreign message that is larger, the letter keeps the beginning. */
export const LETTER_BODY_BYTES_MAX = 15 * 1024 * 1024;

/** The letter with a body that the store takes. */
export function cutBody(letter: DeadLetter, bytesMax = LETTER_BODY_BYTES_MAX): DeadLetter {
  const { length } = letter.body;
  if (length <= bytesMax) return letter;
  return {
    ...letter,
    error: `${letter.error} (of its ${length} bytes the first ${bytesMax} are kept)`,
    body: letter.body.subarray(0, bytesMax),
  };
}
