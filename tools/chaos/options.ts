import { parseArgs } from 'node:util';
import { defaultPair, type Pair, pairs } from '../pairs.ts';

export const targets = ['worker', 'api', 'broker', 'database', 'redis', 'local', 'any', 'none'] as const;
export type Target = (typeof targets)[number];

export const faults = ['kill', 'stop', 'away', 'alarm', 'full', 'delete', 'late', 'none'] as const;
export type Fault = (typeof faults)[number];

export const mutants = ['ack-before-write', 'no-unique-key', 'no-mandatory'] as const;
export type Mutant = (typeof mutants)[number];

export interface Options {
  /** What the programs run on, one after the other. */
  pairs: readonly Pair[];
  /** Of which parts and faults to run the rows. */
  targets: readonly Target[];
  faults: readonly Fault[];
  /** SIGKILLs of a row. */
  kills: number;
  /** A row sends at least so many events, and goes on until its faults are over. */
  events: number;
  /** Events a second. */
  rate: number;
  seed: number;
  quick: boolean;
  /** Writes the table into docs/reliability.md as well. */
  write: boolean;
  /** Breaks the product on purpose, to see that the harness notices. */
  mutant: Mutant | undefined;
}

export const usage = `npm run chaos -- [options]
  --pair rabbitmq+postgres|...|all   broker and store (${defaultPair.name}); several by commas:
    ${pairs.map(({ name }) => name).join(' ')}
  --target ${[...targets, 'all'].join('|')}   what is broken (any: one of all at random; none: nothing); several by commas
  --fault ${[...faults, 'all'].join('|')}   how
  --kills N    SIGKILLs a row (20; quick: 2)
  --events N   events that a row sends at least (2000; quick: 300)
  --rate N     events a second (300)
  --seed N     the plan of load and faults
  --quick      the short matrix: few faults, a few seconds each; of other pairs
               one kill of worker, broker and database each
  --write      puts the table into docs/reliability.md; of several or other pairs, a row for each
  --mutant ${mutants.join('|')}   breaks the product, which has to turn a row red`;

/** Throws one line that names the wrong option. */
export function parseOptions(words: string[]): Options | 'help' {
  const texts = readWords(words);
  if (texts.help === true) return 'help';
  const quick = texts.quick === true;
  const names = someOf('pair', texts.pair ?? defaultPair.name, pairs.map(({ name }) => name)); // prettier-ignore
  return {
    pairs: pairs.filter(({ name }) => names.includes(name)),
    targets: someOf('target', texts.target, targets),
    faults: someOf('fault', texts.fault, faults),
    kills: count('kills', texts.kills, quick ? 2 : 20, 1000),
    events: count('events', texts.events, quick ? 300 : 2000, 1_000_000),
    rate: count('rate', texts.rate, 300, 5000),
    seed: count('seed', texts.seed, 20_261_120, 2 ** 32 - 1),
    quick,
    write: texts.write === true,
    mutant: texts.mutant === undefined ? undefined : oneOf('mutant', texts.mutant, mutants),
  };
}

function readWords(words: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: words,
      options: {
        ...{
          pair: text,
          target: text,
          fault: text,
          kills: text,
          events: text,
          rate: text,
          seed: text,
          mutant: text,
        },
        ...{ quick: flag, write: flag, help: flag },
      },
    }).values;
  } catch (error) {
    throw new Error((error as Error).message.split('. ', 1)[0], { cause: error });
  }
}

/** Some words by commas; all of them without an option. */
function someOf<T extends string>(name: string, text = 'all', known: readonly T[]): readonly T[] {
  if (text === 'all') return known;
  return text.split(',').map((word) => oneOf(name, word, known));
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find((word) => word === text);
  if (found === undefined) throw new Error(`--${name} must be one of ${known.join(', ')}, not "${text}"`);
  return found;
}

function count(name: string, text: string | undefined, otherwise: number, max: number): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > max) {
    throw new Error(`--${name} must be a whole number of 1 to ${max}, not "${text}"`);
  }
  return number;
}
