/** Makes 60 MB of garbage, and tells of a collection that V8 has been asked for. */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { collectEarly } from '../heap.ts';

const isForced = (entry: PerformanceEntry) => {
  const { detail } = entry as PerformanceEntry & { detail: { flags: number } };
  return (detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0;
};
const heapBytes = () => process.memoryUsage().heapUsed;

collectEarly();
const arrays = Array.from({ length: 900 }, () => new Array<number>(8192).fill(0.5));
const before = heapBytes();
arrays.length = 0;
new PerformanceObserver((list) => {
  if (list.getEntries().some(isForced)) console.log(`${before - heapBytes() > 50e6}`);
}).observe({ entryTypes: ['gc'] });
void delay(3000);
