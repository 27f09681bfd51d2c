/** Pseudo-random choices that are the same for the same seed, so that a run that failed can be run again. */
export interface Random {
  /** From 0 to 1, 1 excluded. */
  next(): number;
  /** A whole number of `from` to `to`, both included. */
  integer(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** A whole number below `count`; the first ones come up far more often (Zipf's law). */
  zipf(count: number): number;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const zipfSums = new Map<number, number[]>();

  // Mulberry32.
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function sums(count: number): number[] {
    let sum = 0;
    const known = zipfSums.get(count) ?? Array.from({ length: count }, (_, rank) => (sum += 1 / (rank + 1)));
    zipfSums.set(count, known);
    return known;
  }

  const integer = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(0, items.length - 1)] as (typeof items)[number],
    zipf(count) {
      const steps = sums(count);
      const point = next() * (steps.at(-1) ?? 0);
      return steps.findIndex((sum) => point < sum);
    },
  };
}
