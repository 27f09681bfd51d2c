import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { brokers, defaultPair, pairs, stores } from '../pairs.ts';
import { root } from '../programs.ts';
import { findRedis } from '../services/find.ts';
import { faults, type Options, targets } from './options.ts';
import { type Servers } from './stack.ts';
import { formatLine, formatNotes, formatPair, pairHead, type Result, tableHead } from './table.ts';
import { createMatrix } from './matrix.ts';

const file = path.join(root, 'docs', 'reliability.md');
const matrixMarks = [
  '<!-- What follows is written by `npm run chaos -- --write`. -->',
  '<!-- Up to here. -->',
] as const;
const pairMarks = [
  '<!-- What follows is written by `npm run chaos -- --pair all --write`. -->',
  '<!-- Up to here: a row for each pair. -->',
] as const;

interface Run {
  results: readonly Result[];
  options: Options;
  startedAt: Date;
}

/**
 * Puts the table, with all that one needs to judge it, between two marks of docs/reliability.md: the rows of the usual
 * pair, or a row for each pair when others are asked for. Rows of another run stay when its date, options, versions and
 * machine were the same, so that a long run may be made in parts.
 */
export async function writeDocument(run: Run): Promise<void> {
  const isMatrix = run.options.pairs.every(({ name }) => name === defaultPair.name);
  const [begin, end] = isMatrix ? matrixMarks : pairMarks;
  const text = await readFile(file, 'utf8');
  const [before, rest] = text.split(begin);
  const [earlier, after] = rest?.split(end) ?? [];
  if (before === undefined || earlier === undefined || after === undefined) {
    throw new Error(`${file} has lost the marks around its table`);
  }
  const facts = isMatrix ? matrixFacts(run) : pairFacts(run);
  const kept = facts.every((fact) => earlier.includes(fact)) ? earlier.split('\n') : [];
  const lines = isMatrix ? mergeRows(run, kept) : mergePairs(run, kept);
  const written = `${before}${begin}\n\n${[...facts, '', ...lines].join('\n')}\n\n${end}${after}`;
  await writeFile(file, await format(written, { ...(await resolveConfig(file)), parser: 'markdown' }));
}

/** The lines of the table and the notes below it, in the order of the matrix. */
function mergeRows({ results, options }: Run, kept: readonly string[]): string[] {
  const names = createMatrix(options).map(({ name }) => name);
  const lines = names.map((name) => {
    const result = results.find(({ row }) => row.name === name);
    return result ? formatLine(result) : lineOf(name, kept);
  });
  const missing = lines.filter((line) => line === undefined).length;
  const isNew = (name: string) => results.some(({ row }) => row.name === name);
  return [
    ...[...tableHead(), ...lines.filter((line) => line !== undefined), ''],
    ...[...formatNotes(results), ...names.flatMap((name) => (isNew(name) ? [] : notesOf(name, kept)))],
    ...(missing > 0 ? ['', `${missing} of the ${names.length} rows have not been run.`] : []),
  ];
}

/** The same for the pairs, in the order of brokers and stores. */
function mergePairs({ results }: Run, kept: readonly string[]): string[] {
  const lines: string[] = [];
  const notes: string[] = [];
  for (const pair of pairs) {
    const ours = results.filter((result) => result.pair.name === pair.name);
    const line = ours.length > 0 ? formatPair(pair, ours) : lineOf(pair.name, kept);
    if (line !== undefined) lines.push(line);
    if (ours.length > 0) notes.push(...formatNotes(ours, ({ row }) => `${pair.name}: ${row.name}`));
    else notes.push(...notesOf(pair.name, kept));
  }
  const missing = pairs.length - lines.length;
  return [
    ...[...pairHead(), ...lines, '', ...notes],
    ...(missing > 0 ? ['', `${missing} of the ${pairs.length} pairs have not been run.`] : []),
  ];
}

const lineOf = (name: string, kept: readonly string[]) => kept.find((line) => line.startsWith(`| ${name} `));
const notesOf = (name: string, kept: readonly string[]) =>
  kept.filter((line) => line.startsWith(`- ${name}: `));

function matrixFacts({ options, startedAt, results }: Run): string[] {
  return [
    dateOf(startedAt),
    `- Options: \`${numbersOf(options)}\``,
    `- Versions: ${[...(results[0]?.versions ?? []), `Node.js ${process.versions.node}`].join(', ')}`,
    machine(),
  ];
}

/** A pair has its versions in its row. What its sums are over is the same for all. */
function pairFacts({ options, startedAt }: Run): string[] {
  const rows = `--target ${wordsOf(options.targets, targets)} --fault ${wordsOf(options.faults, faults)}`;
  return [
    dateOf(startedAt),
    `- Options: \`${rows} ${numbersOf(options)}\``,
    `- Versions: Node.js ${process.versions.node}`,
    machine(),
  ];
}

const wordsOf = (chosen: readonly string[], known: readonly string[]) =>
  chosen.length === known.length ? 'all' : chosen.join();
const numbersOf = ({ kills, rate, seed, quick }: Options) =>
  `--kills ${kills} --rate ${rate} --seed ${seed}${quick ? ' --quick' : ''}`;
const dateOf = (startedAt: Date) => `- Date: ${startedAt.toISOString().slice(0, 10)}`;
const machine = () =>
  `- Machine: ${os.type()} ${process.arch}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, shared with everything that was measured and with the client`;

/** What a pair was measured with. */
export async function readVersions({ pair, broker, database }: Servers): Promise<string[]> {
  const store = await stores[pair.store].open(database.service.url, 'chaos_versions');
  const versions = [await brokers[pair.broker].version(broker.service.url), await store.version()];
  await store.remove();
  await store.close();
  const { stdout } = await promisify(execFile)(findRedis(), ['--version']);
  const [, redis = ''] = /v=(\S+)/.exec(stdout) ?? [];
  // The queue in MongoDB and the store in MongoDB are of one version.
  return [...new Set([versions[0]!, `Redis ${redis}`, versions[1]!])];
}
