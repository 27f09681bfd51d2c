import { EventSource } from 'eventsource';
import { useCallback, useEffect, useRef, useState } from 'react';
import { type StreamedEvent } from './api-types.ts';
import { type ApiError, errorOf, fetchWithKey, noAnswer } from './api.ts';

/** As many are kept in the page; older ones are in the store. */
export const ENTRIES_MAX = 200;
/** So many ids are remembered, to tell an event that comes once more. */
const SEEN_MAX = 2000;
/** What arrives within this time is shown together, however much it is. */
const SHOW_EVERY_MS = 250;
/** How long to wait before asking again an API that refused, for example because of too many streams. */
const RETRY_MS = 3000;

export type Entry = { key: string } & ({ kind: 'event'; event: StreamedEvent } | { kind: 'gap' });

export interface Stream {
  /** Newest first. */
  entries: readonly Entry[];
  /** How many of them were not there the last time. */
  newest: number;
  isOpen: boolean;
  /** Why it is not open. A passing one is tried again by itself. */
  error: ApiError | undefined;
  /** How many events have come since it was paused. */
  waiting: number;
  reconnect: () => void;
}

/** The events that match, as they are stored. It resumes by itself where it was cut. */
export function useStream(query: string, isPaused: boolean): Stream {
  const [shown, setShown] = useState(nothing);
  const [state, setState] = useState(connecting);
  const [round, setRound] = useState(0);
  const reconnect = useCallback(() => setRound((last) => last + 1), []);
  const [waiting, setWaiting] = useState(0);
  /** Oldest first; what was not shown yet. */
  const arrived = useRef<Entry[]>([]);
  const waitingNow = useRef(0);
  const seen = useRef(new Set<string>());

  useEffect(() => {
    setShown(nothing);
    seen.current.clear();
    arrived.current = [];
    waitingNow.current = 0;
  }, [query]);

  useEffect(() => {
    setState(connecting);
    const add = (entry: Entry) => {
      if (seen.current.has(entry.key)) return;
      remember(seen.current, entry.key);
      arrived.current.push(entry);
      if (arrived.current.length > ENTRIES_MAX) arrived.current.shift();
      if (entry.kind === 'event') waitingNow.current++;
    };
    return openStream(query, add, setState);
  }, [query, round]);

  useEffect(() => {
    if (!isPaused) waitingNow.current = 0;
    const show = () => {
      setWaiting(isPaused ? waitingNow.current : 0);
      if (isPaused || arrived.current.length === 0) return;
      const newest = arrived.current.splice(0).reverse();
      setShown(({ entries }) => ({
        entries: [...newest, ...entries].slice(0, ENTRIES_MAX),
        newest: entries.length === 0 ? 0 : newest.length,
      }));
    };
    if (isPaused) waitingNow.current = arrived.current.length;
    show();
    const timer = setInterval(show, SHOW_EVERY_MS);
    return () => clearInterval(timer);
  }, [isPaused]);

  return { ...shown, ...state, waiting, reconnect };
}

type State = Pick<Stream, 'isOpen' | 'error'>;

/** Every gap is one of its own. */
let gapCount = 0;
const nothing: Pick<Stream, 'entries' | 'newest'> = { entries: [], newest: 0 };
const connecting: State = { isOpen: false, error: undefined };

/** Connects, and connects again, until what it returns is called. */
function openStream(
  query: string,
  add: (entry: Entry) => void,
  setState: (state: State) => void,
): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let error: ApiError | undefined;
  const ask = async (url: string | URL, init: RequestInit) => {
    error = undefined;
    const response = await fetchWithKey(url, init);
    if (!response.ok) error = await errorOf(response.clone());
    return response;
  };
  const connect = () => {
    source = new EventSource(`/api/v1/stream${query}`, { fetch: ask });
    source.addEventListener('open', () => setState({ isOpen: true, error: undefined }));
    source.addEventListener('activity', ({ data }) => {
      const event = JSON.parse(data as string) as StreamedEvent;
      add({ kind: 'event', key: event.eventId, event });
    });
    source.addEventListener('gap', () => add({ kind: 'gap', key: `gap ${++gapCount}` }));
    source.addEventListener('error', () => {
      const reason = error ?? noAnswer();
      setState({ isOpen: false, error: reason });
      // After an answer other than 200 it has given up; after a connection that broke it goes on by itself.
      if (source.readyState === source.CLOSED && reason.passing) timer = setTimeout(connect, RETRY_MS);
    });
  };
  connect();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

function remember(seen: Set<string>, key: string): void {
  seen.add(key);
  if (seen.size <= SEEN_MAX) return;
  for (const oldest of seen) {
    seen.delete(oldest);
    return;
  }
}
