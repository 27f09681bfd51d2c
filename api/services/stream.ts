import { setTimeout as delay } from 'node:timers/promises';
import { type ActivityHead, type ListFilter, type Store } from '@event-tracker/consumer/store/store';
import { type Logger } from '@event-tracker/shared/logger';

/** Streams that one process has open at a time. */
export const STREAMS_MAX = 100;
/** Events that one poll brings at most; where more were stored meanwhile, the streams have a gap. */
export const POLL_EVENTS_MAX = 500;
/** Events that a new stream begins with. */
export const FIRST_EVENTS_MAX = 50;
/** Pause between two polls; one that took longer is followed by a pause as long as itself. */
const POLL_PAUSE_MS = 500;
/** `processedAt` tells when a write began: one that ends so much later than others is looked for all the same. */
const LATE_MS = 10_000;

const LONG_AGO = new Date(0);
const GAP = 'event: gap\ndata: {}\n\n';

export interface Watcher {
  filter: Pick<ListFilter, 'userId' | 'eventType'>;
  /** The position of the last event of the stream that this one goes on with. */
  after: Date | undefined;
  /** Takes messages of a text/event-stream. */
  send: (messages: string) => void;
  /** Is called when the stream ends from our side; nothing is sent from then on. */
  end: () => void;
}

export interface LiveStream {
  /** Tells what is stored until the function that it gives is called. Undefined where no stream can be opened now. */
  watch(watcher: Watcher): (() => void) | undefined;
  /** Ends every stream at once and opens no other. */
  close(): void;
}

/** What the streams have had. */
interface Told {
  /** Of what was stored before, nothing more is told. */
  since: Date;
  /** The events of the last poll. What one before has brought and the last did not was displaced, and never comes back. */
  ids: ReadonlySet<string>;
}

/**
 * Tells what the workers store, by one poll of the store for all streams of this process, and only while there are any.
 * A store that is away ends no stream: it goes on from where it was.
 */
export function createLiveStream(store: Pick<Store, 'tail'>, logger: Logger): LiveStream {
  /** Those whose stream begins with the next poll. */
  const newcomers = new Set<Watcher>();
  const watchers = new Set<Watcher>();
  let isPolling = false;
  let isClosed = false;

  async function poll(told: Told): Promise<Told> {
    // Who comes while the store answers wants what this answer may be too early for.
    const joining = [...newcomers];
    // A stream may begin with older events than those that the others still wait for.
    const since = joining.length > 0 ? LONG_AGO : told.since;
    const events = (await store.tail({ since, limit: POLL_EVENTS_MAX })).reverse();
    const following = [...watchers];
    // Some may have left meanwhile.
    const joined = joining.filter((watcher) => newcomers.delete(watcher));
    for (const watcher of joined) watchers.add(watcher);
    return tell(events, told, following, joined);
  }

  async function pollWhileWatched(): Promise<void> {
    let told: Told = { since: LONG_AGO, ids: new Set() };
    let isAway = false;
    while (newcomers.size + watchers.size > 0) {
      const begun = performance.now();
      try {
        told = await poll(told);
        isAway = false;
      } catch (error) {
        if (!isAway) logger.warn({ err: error }, 'streams wait for the store');
        isAway = true;
      }
      await delay(Math.max(POLL_PAUSE_MS, performance.now() - begun), undefined, { ref: false });
    }
    isPolling = false;
  }

  return {
    watch(watcher) {
      if (isClosed || newcomers.size + watchers.size >= STREAMS_MAX) return undefined;
      newcomers.add(watcher);
      if (!isPolling) {
        isPolling = true;
        void pollWhileWatched();
      }
      return () => {
        newcomers.delete(watcher);
        watchers.delete(watcher);
      };
    },
    close() {
      isClosed = true;
      const all = [...newcomers, ...watchers];
      newcomers.clear();
      watchers.clear();
      for (const watcher of all) watcher.end();
    },
  };
}

/** Sends what a poll has brought, oldest first, to whom it is new. */
function tell(
  events: readonly ActivityHead[],
  { since, ids }: Told,
  following: readonly Watcher[],
  joined: readonly Watcher[],
): Told {
  const now = Date.now();
  const messageOf = once((event) => toMessage(event, now));
  const send = (watcher: Watcher, some: readonly ActivityHead[], isGap: boolean) => {
    const messages = [...(isGap ? [GAP] : []), ...some.map(messageOf)];
    if (messages.length > 0) watcher.send(messages.join(''));
  };

  const fresh = events.filter(({ eventId, processedAt }) => processedAt >= since && !ids.has(eventId));
  for (const watcher of following) send(watcher, fresh.filter(matching(watcher)), isFull(fresh));
  for (const watcher of joined) {
    const { after } = watcher;
    if (after) {
      const missed = events.filter(({ processedAt }) => processedAt >= lookBack(after, now));
      const isGap = isFull(events.filter(({ processedAt }) => processedAt >= after));
      send(watcher, missed.filter(matching(watcher)), isGap);
    } else send(watcher, events.filter(matching(watcher)).slice(-FIRST_EVENTS_MAX), false);
  }

  const newest = events.at(-1)?.processedAt ?? LONG_AGO;
  return {
    since: new Date(Math.max(since.getTime(), lookBack(newest, now).getTime())),
    ids: new Set(events.map(({ eventId }) => eventId)),
  };
}

/** The position that `toMessage` has written, or undefined where it is none. */
export function parsePosition(text: string): Date | undefined {
  return /^\d{1,15}$/.test(text) ? new Date(Number(text)) : undefined;
}

function toMessage(event: ActivityHead, now: number): string {
  const position = Math.min(event.processedAt.getTime(), now);
  return `id: ${position}\nevent: activity\ndata: ${JSON.stringify(event)}\n\n`;
}

/** From when on events behind this moment may have come late. A clock that is ahead must not hide what others store. */
function lookBack(moment: Date, now: number): Date {
  return new Date(Math.min(moment.getTime(), now) - LATE_MS);
}

/** Where all that a poll can bring is new, there may be more. */
function isFull(events: readonly ActivityHead[]): boolean {
  return events.length === POLL_EVENTS_MAX;
}

function matching({ filter: { userId, eventType } }: Watcher): (event: ActivityHead) => boolean {
  return (event) =>
    (userId === undefined || event.userId === userId) &&
    (eventType === undefined || event.eventType === eventType);
}

/** Makes the message of an event for the first stream that wants it, and for all of them. */
function once(make: (event: ActivityHead) => string): (event: ActivityHead) => string {
  const made = new Map<ActivityHead, string>();
  return (event) => {
    const message = made.get(event) ?? make(event);
    made.set(event, message);
    return message;
  };
}
