import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from 'react';
import { describeElement } from './capture.ts';
import { createTracker, type EventMap, type Events, type Tracker, type TrackerOptions } from './index.ts';

const TrackerContext = createContext<Tracker | undefined>(undefined);

/** Gives everything below it one tracker. The options of the first rendering count; it is closed on unmounting. */
export function TrackerProvider({ children, ...options }: TrackerOptions & { children?: ReactNode }) {
  // Creating has no effect outside, for React may throw a rendering away, and in strict mode does so.
  const [tracker] = useState(() => createTracker({ ...options, autoStart: false }));
  useEffect(() => {
    tracker.start();
    return () => void tracker.close();
  }, [tracker]);
  return <TrackerContext.Provider value={tracker}>{children}</TrackerContext.Provider>;
}

export function useTracker<Map extends Events<Map> = EventMap>(): Tracker<Map> {
  const tracker = useContext(TrackerContext);
  if (!tracker) throw new Error('There is no <TrackerProvider> around this component');
  return tracker as unknown as Tracker<Map>;
}

/** Tracks a page view on mounting, and whenever the path, which a router knows, is another one. */
export function usePageView(path?: string): void {
  const tracker = useTracker();
  const viewed = useRef<string>(undefined);
  useEffect(() => {
    const current = path ?? location.pathname;
    // Strict mode runs every effect twice.
    if (viewed.current === current) return;
    viewed.current = current;
    tracker.page(path);
  }, [tracker, path]);
}

/** A callback for events of one type, the same on every rendering. */
export function useTrackEvent(eventType: string): (payload?: Record<string, unknown>) => void {
  const tracker = useTracker();
  return useCallback((payload) => tracker.track(eventType, payload), [tracker, eventType]);
}

/** Props that track clicks on an element and hovers over it, under the name of a component. */
export function useTrackProps(component: string, payload?: Record<string, unknown>) {
  const tracker = useTracker();
  const send =
    (eventType: string) =>
    ({ currentTarget }: { currentTarget: Element }) =>
      tracker.track(eventType, { ...describeElement(currentTarget), component, ...payload });
  return { onClick: send('click'), onMouseEnter: send('hover') };
}
