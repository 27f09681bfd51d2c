const STORAGE_NAME = 'event-tracker-shop-visitor';

/** Somebody else in each tab, so that everyone sees beside the shop what they do themselves. */
export function visitorOf(storage: Storage): string {
  const known = storage.getItem(STORAGE_NAME);
  if (known !== null) return known;
  const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
  const visitor = `visitor-${random.toString(36)}`;
  storage.setItem(STORAGE_NAME, visitor);
  return visitor;
}
