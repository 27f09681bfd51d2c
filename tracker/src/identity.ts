import { forget, keep, kept } from './kept.ts';

const ANONYMOUS = 'event-tracker:anonymous';
const USER = 'event-tracker:user';

/** The id of this browser as long as it belongs to nobody; made with the first event. */
export function anonymousId(): string {
  const id = kept(ANONYMOUS) ?? `anonymous-${uuid()}`;
  // Also where it was kept: what another page has kept is then known here when storage fails later.
  keep(ANONYMOUS, id);
  return id;
}

export function currentUserId(): string {
  return kept(USER) ?? anonymousId();
}

export function keepUserId(userId: string): void {
  keep(USER, userId);
}

/** Whoever comes next is somebody else. */
export function forgetUser(): void {
  forget(USER);
  forget(ANONYMOUS);
}

/** A random UUID of version 4, also on origins without TLS, where browsers have no `randomUUID`. */
export function uuid(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 15) | 64;
  bytes[8] = (bytes[8]! & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
