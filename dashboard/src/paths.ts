import { useParams } from 'wouter';

/** Ids come from events, and may be any text: they are encoded wherever they become a part of a link. */
export const userPath = (userId: string) => `/users/${encodeURIComponent(userId)}`;
export const eventPath = (eventId: string) => `/events/${encodeURIComponent(eventId)}`;

/** A parameter of the route, decoded. A link that somebody has cut in the middle of a character is taken as it is. */
export function useParam(name: string): string {
  const encoded = useParams()[name] ?? '';
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
