import { countOutcomes, showEvidence } from './judge.ts';
import { type Pair } from '../pairs.ts';
import { type Row } from './matrix.ts';
import { type Observed } from './run-row.ts';

/** How a row ended. One that was not run says why and counts as neither held nor broken. */
export interface Result {
  pair: Pair;
  versions: readonly string[];
  row: Row;
  observed?: Observed;
  broken: string[];
  notRun?: string;
}

const columns = [
  ...['row', 'faults', 'sent', 'ok', 'fail', 'unknown', 'seen of the fault', 'stored', 'doubled', 'lost'],
  ...['dead letters', 'longest time without a 202', 'next 202 after the part was back', 'verdict'],
];

/** One Markdown table, and below it what is behind every row that did not hold. */
export function formatTable(results: readonly Result[]): string {
  const notes = formatNotes(results);
  const lines = [...tableHead(), ...results.map(formatLine)];
  return [...lines, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

export function tableHead(): string[] {
  return headOf(columns, /^(row|seen.*|verdict)$/);
}

/** The names of the columns, of which those of words stand at the left. */
function headOf(names: readonly string[], words: RegExp): string[] {
  const marks = names.map((name) => (words.test(name) ? '---' : '---:'));
  return [names, marks].map((line) => `| ${line.join(' | ')} |`);
}

export function formatLine(result: Result): string {
  return `| ${cells(result).join(' | ')} |`;
}

/** `nameOf`: what a note begins with. */
export function formatNotes(results: readonly Result[], nameOf = ({ row }: Result) => row.name): string[] {
  return results.flatMap((result) => [
    ...result.broken.map((sentence) => `- ${nameOf(result)}: **${oneLine(sentence)}**`),
    ...(result.notRun === undefined ? [] : [`- ${nameOf(result)}: not run, ${oneLine(result.notRun)}`]),
  ]);
}

function cells(result: Result): string[] {
  const { row, observed } = result;
  if (!observed)
    return [row.name, ...Array.from({ length: columns.length - 2 }, () => ''), verdictOf(result)];
  const { load, compared, faults, backMs } = observed;
  const { ok, fail, unknown } = countOutcomes(load.ledger);
  const { stored, doubled, lost, deadLetters } = compared;
  return [
    ...[row.name, faults, load.ledger.size, ok, fail, unknown, showEvidence(row.evidence, observed)].map(
      String,
    ),
    ...[stored, doubled, lost, deadLetters].map(String),
    withBar(load.longestGapMs(), row.bar.gapMsMax),
    backMs.length === 0 ? '' : withBar(Math.max(...backMs), row.bar.backMsMax),
    verdictOf(result),
  ];
}

function withBar(ms: number, msMax: number | undefined): string {
  const seconds = (value: number) => `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
  return msMax === undefined ? seconds(ms) : `${seconds(ms)} of ${msMax / 1000} s`;
}

export function verdictOf({ broken, notRun }: Result): string {
  if (notRun !== undefined) return 'not run';
  return broken.length === 0 ? 'held' : '**broken**';
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 500);
}

const pairColumns = [
  ...['pair', 'versions', 'faults', 'sent', 'ok', 'fail', 'unknown'],
  ...['stored', 'doubled', 'lost', 'dead letters', 'verdict'],
];

export function pairHead(): string[] {
  return headOf(pairColumns, /^(pair|versions|verdict)$/);
}

/** One line for a pair, with the sums over its rows. */
export function formatPair(pair: Pair, results: readonly Result[]): string {
  const sums = new Array<number>(pairColumns.length - 3).fill(0);
  for (const { observed } of results) {
    if (!observed) continue;
    const { ok, fail, unknown } = countOutcomes(observed.load.ledger);
    const { stored, doubled, lost, deadLetters } = observed.compared;
    const sent = [observed.faults, observed.load.ledger.size, ok, fail, unknown];
    for (const [index, count] of [...sent, stored, doubled, lost, deadLetters].entries())
      sums[index]! += count;
  }
  const ran = results.filter(({ notRun }) => notRun === undefined);
  const broken = ran.filter((result) => verdictOf(result) !== 'held').length;
  const verdict = broken === 0 ? `${ran.length} rows held` : `**${broken} of ${ran.length} rows broken**`;
  return `| ${[pair.name, results[0]?.versions.join(', '), ...sums, verdict].join(' | ')} |`;
}
