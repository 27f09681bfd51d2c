import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** By how many per cent the old space may grow beyond what was alive at its last collection. */
const GROWTH_PERCENT = 100;
/** What a worker under load has in its young generation comes to 30 MB, and says nothing. */
const GARBAGE_BYTES_MAX = 40 * 1024 * 1024;
const LOOK_MS = 1000;

/**
 * Has V8 collect its old space early. Where a machine has much memory V8 lets garbage pile up: under single events from 64
 * connections the API takes 147 MB with it and 190 to 200 MB without, under batches 160 and 210 MB, at rates that differ by
 * less than two runs do (5 s each, two in turn). With 20 in place of 100 the rate falls by a fifth. V8 reads the flag at
 * each collection; one that does not know it goes on without.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}

/**
 * Has V8 collect everything once there may be 40 MiB of garbage. By itself it collects the old generation when that has
 * grown fourfold, or the buffers outside of the heap by 64 MB, and a worker whose writes take long has much of what is in
 * hand come into it: at most 136 MB in place of 176 in ten minutes under full load, for as many events. Growth in smaller
 * steps, as above, takes a worker 30 µs for an event of a backlog in place of 23. Where there is no `gc` to be had, V8 goes
 * on as it does.
 */
export function collectEarly(): void {
  const collect = collector();
  if (!collect) return;
  let least = usedBytes();
  const look = () => {
    least = Math.min(least, usedBytes());
    if (usedBytes() - least < GARBAGE_BYTES_MAX) return;
    collect();
    // With larger events more of them is alive than before.
    least = usedBytes();
  };
  setInterval(look, LOOK_MS).unref();
}

/**
 * Has V8 collect its young garbage on one thread. A worker under load has 3 MB alive in it some twenty times a second, and
 * waits for helpers on cores that broker and store use: with messages of 100 events 14.6 µs an event became 13.4 and 28,600
 * events a second 30,000, with single ones 23.9 became 23.0 and 139 MB 129 (four and three rounds in turn). An API gains
 * nothing. V8 reads the flag at each collection; one that does not know it goes on without.
 */
export function collectYoungAlone(): void {
  setFlagsFromString('--no-parallel-scavenge');
}

/** Node.js has it behind a flag alone, for contexts that are made after that was set. */
function collector(): (() => void) | undefined {
  setFlagsFromString('--expose-gc');
  return runInNewContext('globalThis.gc') as (() => void) | undefined;
}

/** Without what is outside of the heap and no buffer, which V8 knows of only some time after a collection. */
function usedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
