/** Longest name of a page, in UTF-16 units; the rest is cut. */
export const PAGE_LENGTH_MAX = 200;

/** The page that an event happened on: the first of these fields that is a string, as the clients that we know send it. */
export function pageOf({ path, page, page_path }: Record<string, unknown>): string | null {
  const name = [path, page, page_path].find((value) => typeof value === 'string');
  // A character of two units is kept whole or not at all: half of one can be stored nowhere.
  return name?.slice(0, PAGE_LENGTH_MAX).replace(/[\uD800-\uDBFF]$/, '') ?? null;
}
