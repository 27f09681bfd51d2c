import { anonymousId, currentUserId, forgetUser, keepUserId, uuid } from './identity.ts';
import { openQueue, type Queue } from './queue.ts';
import { type DropReason, Sender } from './sender.ts';

/** Events by their type, each with its payload. */
export type EventMap = Record<string, Record<string, unknown>>;

/** An event as it is sent. */
export interface TrackedEvent {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: Record<string, unknown>;
}

/** Events that will never be stored, and why. */
export interface Dropped {
  reason: DropReason;
  events: TrackedEvent[];
  /** What the API said of them. */
  details?: unknown;
}

export interface TrackerOptions {
  /** Where the API is; the origin of the page by default. */
  url?: string | undefined;
  /** Goes along with every batch, for collectors that want one. */
  writeKey?: string | undefined;
  /** So many events are sent at once; 50 by default. */
  flushAt?: number | undefined;
  /** Fewer are sent after this time; 5000 by default. */
  flushIntervalMs?: number | undefined;
  /** Most events that wait in this browser; newer ones are dropped. 10,000 by default. */
  queueEventsMax?: number | undefined;
  /** Does nothing in a browser that asks for it by Do Not Track or Global Privacy Control; false by default. */
  respectDoNotTrack?: boolean | undefined;
  /** false leaves beginning to `start()` or to the first event; for what is created while rendering. */
  autoStart?: boolean | undefined;
  /** Told of every event that is given up. */
  onDrop?: ((dropped: Dropped) => void) | undefined;
}

/** What a map of events may be: also an interface, which has no index signature. */
export type Events<Map> = { [Type in keyof Map]: object };
/** A payload without a field that must be there may be left out. */
type PayloadArgument<Payload> =
  Record<never, never> extends Payload ? [payload?: Payload] : [payload: Payload];

export interface Tracker<Map extends Events<Map> = EventMap> {
  track<Type extends keyof Map & string>(eventType: Type, ...payload: PayloadArgument<Map[Type]>): void;
  /** From now on events are this user's; the event `identify` says which anonymous id that was. */
  identify(userId: string): void;
  /** From now on events are nobody's that is known, as after signing out. */
  reset(): void;
  /** `path` where a router knows it better than the address, as behind a `#`. */
  page(path?: string): void;
  /** Sends what waits; resolves when nothing waits any more, or when it has to wait longer. Never rejects. */
  flush(): Promise<void>;
  /** Sends what earlier pages have left over. */
  start(): void;
  /** Sends what waits and lets go of everything. What comes after that starts it again. */
  close(): Promise<void>;
  /** How many events of this page were given up. */
  readonly dropped: number;
}

interface Session {
  queue: Queue;
  sender: Sender;
  listening: AbortController;
}

export function createTracker<Map extends Events<Map> = EventMap>(
  options: TrackerOptions = {},
): Tracker<Map> {
  let session: Session | undefined;
  let dropped = 0;
  let referrer: string | undefined;

  /** Undefined on a server, and where the browser asks not to be tracked: no id is made, nothing kept, nothing sent. */
  function open(): Session | undefined {
    if (session || typeof window === 'undefined' || (options.respectDoNotTrack && isUnwanted()))
      return session;
    session = openSession(options, onDrop);
    void session.sender.flush();
    return session;
  }

  function track(eventType: string, payload?: object): void {
    const opened = open();
    if (!opened) return;
    const event = createEvent(eventType, payload);
    try {
      opened.sender.add([event.timestamp + event.eventId, JSON.stringify(event)]);
    } catch (error) {
      onDrop({ reason: 'not-json', events: [event], details: error });
    }
  }

  function page(path?: string): void {
    if (!open()) return;
    const known = path === undefined ? {} : { path };
    track('page_view', { title: document.title, referrer: referrer ?? document.referrer, ...known });
    referrer = location.href;
  }

  function onDrop(drop: Dropped): void {
    dropped += drop.events.length;
    // What it throws is the page's own affair, and holds up nothing here.
    queueMicrotask(() => options.onDrop?.(drop));
  }

  const tracker: Tracker<Map> = {
    track: (eventType, ...[payload]) => track(eventType, payload),
    page,
    identify(userId) {
      if (!open() || userId === currentUserId()) return;
      keepUserId(userId);
      track('identify', { anonymousId: anonymousId() });
    },
    reset() {
      if (open()) forgetUser();
    },
    flush: async () => open()?.sender.flush(),
    start: () => void open(),
    async close() {
      const closing = session;
      session = undefined;
      if (closing) await closeSession(closing);
    },
    get dropped() {
      return dropped;
    },
  };
  if (options.autoStart ?? true) tracker.start();
  return tracker;
}

function isUnwanted(): boolean {
  const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean };
  return doNotTrack === '1' || globalPrivacyControl === true;
}

function createEvent(eventType: string, payload?: object): TrackedEvent {
  return {
    eventId: uuid(),
    userId: currentUserId(),
    eventType,
    timestamp: new Date().toISOString(),
    payload: { path: location.pathname, ...payload },
  };
}

function openSession(options: TrackerOptions, onDrop: (dropped: Dropped) => void): Session {
  const { url = location.origin, writeKey, flushAt = 50, flushIntervalMs = 5000 } = options;
  const endpoint = `${url.replace(/\/$/, '')}/api/v1/activities/batch`;
  const name = `event-tracker:${endpoint}${writeKey ? ` ${writeKey}` : ''}`;
  const queue = openQueue(name, options.queueEventsMax ?? 10_000);
  const sender = new Sender({
    ...{ name, endpoint, writeKey, flushAt, flushIntervalMs, queue },
    drop(reason, entries, details) {
      onDrop({ reason, events: entries.map(([, json]) => JSON.parse(json) as TrackedEvent), details });
    },
  });
  const listening = new AbortController();
  listen(sender, listening.signal);
  return { queue, sender, listening };
}

async function closeSession({ queue, sender, listening }: Session): Promise<void> {
  listening.abort();
  sender.stop();
  await sender.flush();
  queue.close();
}

/** A browser gives a page that is left one of the two events or both, which does no harm. */
function listen(sender: Sender, signal: AbortSignal): void {
  const leave = () => sender.leave();
  const onVisibility = () => document.visibilityState === 'hidden' && leave();
  document.addEventListener('visibilitychange', onVisibility, { signal });
  addEventListener('pagehide', leave, { signal });
  addEventListener('online', () => sender.retryNow(), { signal });
}
