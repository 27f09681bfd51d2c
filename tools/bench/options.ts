import { parseArgs } from 'node:util';

export interface Options {
  /** Short runs with fewer events, of what has bars that matter most; the document is written only when asked for. */
  quick: boolean;
  /** Names of experiments. */
  only: string[];
  write: boolean;
  rounds: number;
  /** Before the rounds of runs that start all their programs anew; those that keep them always have one. */
  warmUp: boolean;
  /** Length of the memory experiment. */
  minutes: number;
}

export const usage = `npm run bench -- [--quick] [--only NAME,...] [--write | --no-write] [--rounds N] [--minutes N]`;

export function readOptions(names: readonly string[], args = process.argv.slice(2)): Options {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      write: { type: 'boolean' },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
    },
  });
  const { quick, write = !quick } = values;
  const only = values.only.split(',').filter(Boolean);
  const unknown = only.filter((name) => !names.includes(name));
  const rounds = Number(values.rounds ?? (quick ? 2 : 5));
  const minutes = Number(values.minutes ?? (quick ? 0.5 : 10));
  if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: none of ${names.join(', ')}\n${usage}`);
  if (!(Number.isInteger(rounds) && rounds > 0 && minutes > 0)) throw new Error(usage);
  return { quick, only, write, rounds, warmUp: !quick, minutes };
}
