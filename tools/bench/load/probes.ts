import { MongoClient } from 'mongodb';

export interface ProbeResult {
  p50Ms: number;
  p99Ms: number;
  found: number;
  /** Probes that were not stored within the time that was waited for them. */
  missing: number;
}

const WAIT_MS = 30_000;
/** Asked for at once; those that wait longer are found first. */
const ASKED_MAX = 50;
/** What is late anyway is asked for more seldom, so that asking does not become a load of its own. */
const LATE_MS = 50;
const LATE_PAUSE_MS = 5;

/**
 * Tells how long marked events take until a reader finds them: one loop asks, without a pause, which of those that are
 * under way are there. It is the same for every variant, whatever its documents look like.
 */
export function watchProbes(database: string) {
  const client = new MongoClient(database, { maxPoolSize: 1 });
  const activities = client.db().collection('activities');
  const pending = new Map<number, number>();
  const times: number[] = [];
  let next = Date.now() * 1000;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    while (pending.size > 0) {
      const asked = [...pending.keys()].slice(0, ASKED_MAX);
      const projection = { _id: 0, 'payload.probe': 1 };
      const found = await activities.find({ 'payload.probe': { $in: asked } }, { projection }).toArray();
      const now = performance.now();
      for (const { payload } of found as unknown as { payload: { probe: number } }[]) {
        times.push(now - (pending.get(payload.probe) ?? now));
        pending.delete(payload.probe);
      }
      const [oldest = now] = pending.values();
      if (now - oldest > LATE_MS) await new Promise((resolve) => setTimeout(resolve, LATE_PAUSE_MS));
    }
    asking = undefined;
  }

  return {
    /** The mark of an event that is being sent now. */
    begin(since: number): number {
      const probe = next++;
      pending.set(probe, since);
      asking ??= ask();
      return probe;
    },
    async finish(): Promise<ProbeResult> {
      const deadline = performance.now() + WAIT_MS;
      while (pending.size > 0 && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 10));
      const missing = pending.size;
      pending.clear();
      await asking;
      await client.close();
      times.sort((a, b) => a - b);
      const at = (share: number) =>
        times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
      return { p50Ms: at(0.5), p99Ms: at(0.99), found: times.length, missing };
    },
  };
}
