/**
 * `npm run chaos`: sends events while one part of the system is broken again and again, and compares what the clients
 * were told with what is stored. Ends with one Markdown table, and with an error when a row breaks its bar.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Pair } from '../pairs.ts';
import { root } from '../programs.ts';
import { NotRun } from './disk.ts';
import { readVersions, writeDocument } from './document.ts';
import { judge } from './judge.ts';
import { chooseRows, type Row } from './matrix.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { createProgress, type Progress } from './progress.ts';
import { runLocal } from './run-local.ts';
import { runRow } from './run-row.ts';
import { startServers } from './stack.ts';
import { formatTable, type Result, verdictOf } from './table.ts';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') return console.log(usage);
  const plan = options.pairs.map((pair) => ({ pair, rows: chooseRows(options, pair) }));
  const count = plan.reduce((sum, { rows }) => sum + rows.length, 0);
  if (count === 0) throw new Error('there is no row for this --target with this --fault');
  // Signals end this process through `exit`; what it has started is then ended by its guard.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

  const progress = createProgress(count);
  progress.show('building');
  await build();
  const startedAt = new Date();
  const results: Result[] = [];
  // After each row, so that of a run that is broken off there is what it came to.
  const keep = async (result: Result) => {
    results.push(result);
    if (options.write) await writeDocument({ results, options, startedAt });
  };
  for (const { pair, rows } of plan) {
    if (rows.length === 0) continue;
    await runPair(pair, rows, options, progress, keep);
    const ours = results.filter((result) => result.pair === pair);
    console.log(`\n${pair.name}\n\n${formatTable(ours)}\n`);
  }
  const held = results.filter((result) => verdictOf(result) === 'held').length;
  console.log(`${held} of ${results.length} rows held; seed ${options.seed}`);
  process.exitCode = results.some(({ broken }) => broken.length > 0) ? 1 : 0;
}

async function runPair(
  pair: Pair,
  rows: readonly Row[],
  options: Options,
  progress: Progress,
  keep: (result: Result) => Promise<void>,
): Promise<void> {
  progress.show(`starting the servers of ${pair.name}`);
  let servers = await startServers(pair);
  try {
    const versions = await readVersions(servers);
    for (const row of rows) {
      const show = progress.begin(`${pair.name}, ${row.name}`);
      const outcome = await outcomeOf(row, () =>
        row.target === 'local' ? runLocal(options, show) : runRow(row, servers, options, show),
      );
      const result: Result = { pair, versions, ...outcome };
      progress.end(`${verdictOf(result)}${result.broken.map((sentence) => `\n    ${sentence}`).join('')}`);
      await keep(result);
      if (result.observed || result.notRun !== undefined) continue;
      // What an unforeseen end of a row has left behind must not be the next one's fault.
      await servers.stop();
      servers = await startServers(pair);
    }
  } finally {
    await servers.stop();
  }
}

async function outcomeOf(
  row: Row,
  run: () => ReturnType<typeof runRow>,
): Promise<Omit<Result, 'pair' | 'versions'>> {
  try {
    const observed = await run();
    return { row, observed, broken: judge(row, observed) };
  } catch (error) {
    if (error instanceof NotRun) return { row, broken: [], notRun: error.message };
    return { row, broken: [`it did not come to its end: ${(error as Error).message}`] };
  }
}

/** The programs run from the build, as in production. */
async function build(): Promise<void> {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await promisify(execFile)(process.execPath, [tsc, '-b', 'tsconfig.api.json'], { cwd: root });
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
