import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { format, resolveConfig } from 'prettier';
import { root } from '../../e2e/programs.ts';
import { findRedis } from '../services/find.ts';
import { type Options } from './options.ts';
import { type Servers } from './stack.ts';
import { formatTable, type Result } from './table.ts';

const file = path.join(root, 'docs', 'reliability.md');
const begin = '<!-- What follows is written by `npm run chaos -- --write`. -->';
const end = '<!-- Up to here. -->';

interface Run {
  results: readonly Result[];
  options: Options;
  /** Rows that were asked for. */
  rowCount: number;
  versions: readonly string[];
  startedAt: Date;
}

/** Puts the table, with all that one needs to judge it, between the two marks of docs/reliability.md. */
export async function writeDocument(run: Run): Promise<void> {
  const text = await readFile(file, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${file} has lost the marks around its table`);
  const generated = `${describeRun(run)}\n\n${formatTable(run.results)}`;
  const written = `${before}${begin}\n\n${generated}\n\n${end}${after}`;
  await writeFile(file, await format(written, { ...(await resolveConfig(file)), parser: 'markdown' }));
}

function describeRun({ results, rowCount, options, versions, startedAt }: Run): string {
  const { kills, rate, seed, quick } = options;
  const minutes = Math.round((Date.now() - startedAt.getTime()) / 60_000);
  const machine = `${os.type()} ${process.arch}, ${os.cpus().length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB`;
  const facts = [
    `- Date: ${startedAt.toISOString().slice(0, 10)}; it took ${minutes} minutes`,
    `- Options: \`--kills ${kills} --rate ${rate} --seed ${seed}${quick ? ' --quick' : ''}\``,
    `- Versions: ${versions.join(', ')}`,
    `- Machine: ${machine}, shared with everything that was measured and with the client`,
  ];
  if (results.length < rowCount) facts.push(`- Broken off after ${results.length} of ${rowCount} rows`);
  return facts.join('\n');
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
