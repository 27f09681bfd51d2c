import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { format, resolveConfig } from 'prettier';
import { root } from '../programs.ts';
import { findRedis } from '../services/find.ts';
import { type Options } from './options.ts';
import { type Servers } from './stack.ts';
import { formatLine, formatNotes, type Result, tableHead } from './table.ts';
import { createMatrix } from './matrix.ts';

const file = path.join(root, 'docs', 'reliability.md');
const begin = '<!-- What follows is written by `npm run chaos -- --write`. -->';
const end = '<!-- Up to here. -->';

interface Run {
  results: readonly Result[];
  options: Options;
  versions: readonly string[];
  startedAt: Date;
}

/**
 * Puts the table, with all that one needs to judge it, between the two marks of docs/reliability.md. Rows of another
 * run stay when its date, options, versions and machine were the same, so that a long matrix may be run in parts.
 */
export async function writeDocument(run: Run): Promise<void> {
  const text = await readFile(file, 'utf8');
  const [before, rest] = text.split(begin);
  const [earlier, after] = rest?.split(end) ?? [];
  if (before === undefined || earlier === undefined || after === undefined) {
    throw new Error(`${file} has lost the marks around its table`);
  }
  const facts = describeRun(run);
  const kept = facts.every((fact) => earlier.includes(fact)) ? earlier.split('\n') : [];
  const generated = [...facts, '', ...mergeLines(run, kept)].join('\n');
  const written = `${before}${begin}\n\n${generated}\n\n${end}${after}`;
  await writeFile(file, await format(written, { ...(await resolveConfig(file)), parser: 'markdown' }));
}

/** The lines of the table and the notes below it, in the order of the matrix. */
function mergeLines({ results, options }: Run, kept: readonly string[]): string[] {
  const names = createMatrix(options).map(({ name }) => name);
  const isNew = (name: string) => results.some(({ row }) => row.name === name);
  const lines: string[] = [];
  const notes = formatNotes(results);
  for (const name of names) {
    const result = results.find(({ row }) => row.name === name);
    const line = result ? formatLine(result) : kept.find((one) => one.startsWith(`| ${name} `));
    if (line !== undefined) lines.push(line);
    if (!isNew(name)) notes.push(...kept.filter((one) => one.startsWith(`- ${name}: `)));
  }
  const missing = names.length - lines.length;
  return [
    ...[...tableHead(), ...lines, '', ...notes],
    ...(missing > 0 ? ['', `${missing} of the ${names.length} rows have not been run.`] : []),
  ];
}

function describeRun({ options, versions, startedAt }: Run): string[] {
  const { kills, rate, seed, quick } = options;
  const machine = `${os.type()} ${process.arch}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB`;
  return [
    `- Date: ${startedAt.toISOString().slice(0, 10)}`,
    `- Options: \`--kills ${kills} --rate ${rate} --seed ${seed}${quick ? ' --quick' : ''}\``,
    `- Versions: ${versions.join(', ')}`,
    `- Machine: ${machine}, shared with everything that was measured and with the client`,
  ];
}

/** What the table was measured with. */
export async function readVersions({ broker, database }: Servers): Promise<string[]> {
  const client = new MongoClient(database.service.url);
  const { version } = await client.db('admin').command({ buildInfo: 1 });
  await client.close();
  const rabbitmq = (await broker.service.ctl('version')).trim();
  const { stdout } = await promisify(execFile)(findRedis(), ['--version']);
  const [, redis = ''] = /v=(\S+)/.exec(stdout) ?? [];
  return [
    `RabbitMQ ${rabbitmq}`,
    `Redis ${redis}`,
    `MongoDB engine ${String(version)}`,
    `Node.js ${process.versions.node}`,
  ];
}
