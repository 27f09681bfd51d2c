import { countOutcomes, showEvidence } from './judge.ts';
import { type Row } from './matrix.ts';
import { type Observed } from './run-row.ts';

/** How a row ended. One that was not run says why and counts as neither held nor broken. */
export interface Result {
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
  const marks = columns.map((name) => (/^(row|seen.*|verdict)$/.test(name) ? '---' : '---:'));
  return [columns, marks].map((line) => `| ${line.join(' | ')} |`);
}

export function formatLine(result: Result): string {
  return `| ${cells(result).join(' | ')} |`;
}

export function formatNotes(results: readonly Result[]): string[] {
  return results.flatMap(({ row, broken, notRun }) => [
    ...broken.map((sentence) => `- ${row.name}: **${oneLine(sentence)}**`),
    ...(notRun === undefined ? [] : [`- ${row.name}: not run, ${oneLine(notRun)}`]),
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
