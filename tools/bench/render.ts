import { type Experiment, type Section } from './experiment.ts';
import { processor } from './machine.ts';
import { type Options } from './options.ts';
import { barTable } from './results.ts';

/** The section of one experiment as Markdown; `others` is the share of the CPU that went to other programs. */
export function renderSection(
  { title, isOnce = false }: Experiment,
  { how, tables, bars, notes = [], faults }: Section,
  { rounds, warmUp, quick }: Options,
  startedAt: Date,
  others: number,
): string {
  const minutes = (Date.now() - startedAt.getTime()) / 60_000;
  const when = `${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  const often = `${rounds} ${rounds === 1 ? 'round' : 'rounds'}${warmUp ? ' after a warm-up' : ''}`;
  const run = `Run ${when} on ${processor()}, ${isOnce ? 'once' : often}${quick ? ', --quick' : ''}, ${minutes.toFixed(1)} min in all; programs that are no part of it used ${(others * 100).toFixed(0)} % of the machine's CPU time meanwhile.`;
  const failed = faults.length === 0 ? 'Every request and every event had a good end.' : 'What failed:';
  return [
    `## ${title}`,
    how,
    ...[...tables, barTable(bars)].filter(({ length }) => length > 0).map((lines) => lines.join('\n')),
    ...notes,
    `${run} ${failed}`,
    ...(faults.length > 0 ? [faults.map((fault) => `- ${fault}`).join('\n')] : []),
  ].join('\n\n');
}
