/**
 * The form for a script tag: makes `window.eventTracker`, with the options that the tag has as `data-` attributes.
 * `data-capture` names kinds by spaces.
 */
import { type Capture, startCapture } from './capture.ts';
import { createTracker, type Tracker } from './tracker.ts';

declare global {
  interface Window {
    eventTracker?: Tracker;
  }
}

const { url, writeKey, flushAt, flushIntervalMs, queueEventsMax, capture, respectDoNotTrack } =
  document.currentScript?.dataset ?? {};
const number = (text: string | undefined) => (text ? Number(text) : undefined);

const tracker = createTracker({
  url,
  writeKey,
  flushAt: number(flushAt),
  flushIntervalMs: number(flushIntervalMs),
  queueEventsMax: number(queueEventsMax),
  respectDoNotTrack: respectDoNotTrack !== undefined && respectDoNotTrack !== 'false',
});
startCapture(tracker, (capture?.split(/\s+/) ?? []) as Capture[]);
window.eventTracker = tracker;
