import { Results, type Bar, type Figures } from './results.ts';
import { type Bench } from './stack.ts';

export interface Section {
  /** How it was measured. */
  how: string;
  /** Markdown tables, each an array of lines. */
  tables: string[][];
  bars: Bar[];
  notes?: string[];
  faults: string[];
}

export interface Experiment {
  name: string;
  title: string;
  /** Whether `--quick` runs it without having been asked for it by name. */
  isQuick: boolean;
  /** It is one run, whatever the number of rounds. */
  isOnce?: boolean;
  run(bench: Bench, progress: (text: string) => void): Promise<Section>;
}

export interface Rounds {
  rounds: number;
  warmUp: boolean;
}

/** Runs the variants one after the other, again and again, and forgets a first round, in which everything warms up. */
export async function interleave(
  { rounds, warmUp }: Rounds,
  variants: readonly string[],
  progress: (text: string) => void,
  run: (variant: string, results: Results, isWarmUp: boolean) => Promise<Figures>,
): Promise<Results> {
  let results = new Results();
  for (let round = warmUp ? 0 : 1; round <= rounds; round += 1) {
    const { faults } = results;
    if (round === 1) results = new Results();
    // A fault of the warm-up is one too.
    if (round === 1) results.faults.push(...faults);
    for (const variant of variants) {
      progress(`${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}, ${variant}`);
      results.add(variant, await run(variant, results, round === 0));
    }
  }
  return results;
}
