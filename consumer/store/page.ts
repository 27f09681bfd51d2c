/** The fields of a payload that may name a page, as the clients that we know send it. */
export const PAGE_FIELDS = ['path', 'page', 'page_path'] as const;
/** Longest name of a page, in UTF-16 units; the rest is cut. */
export const PAGE_LENGTH_MAX = 200;

/** The page that an event happened on: the first of the fields that is a string. */
export function pageOf(payload: Readonly<Record<string, unknown>>): string | null {
  const name = PAGE_FIELDS.map((field) => payload[field]).find((value) => typeof value === 'string');
  return name === undefined ? null : cutPage(name);
}

export function cutPage(name: string): string {
  if (name.length <= PAGE_LENGTH_MAX) return name;
  // A character of two units is kept whole or not at all: half of one can be stored nowhere.
  return name.slice(0, PAGE_LENGTH_MAX).replace(/[\uD800-\uDBFF]$/, '');
}
