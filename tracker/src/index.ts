export { type DropReason } from './sender.ts';
export {
  createTracker,
  type Dropped,
  type EventMap,
  type Events,
  type TrackedEvent,
  type Tracker,
  type TrackerOptions,
} from './tracker.ts';
