/**
 * `npm run chaos`: sends events while one part of the system is broken again and again, and compares what the clients
 * were told with what is stored. Ends with one Markdown table, and with an error when a row breaks its bar.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../programs.ts';
import { NotRun } from './disk.ts';
import { readVersions, writeDocument } from './document.ts';
import { judge } from './judge.ts';
import { chooseRows, type Row } from './matrix.ts';
import { parseOptions, usage } from './options.ts';
import { createProgress } from './progress.ts';
import { runLocal } from './run-local.ts';
import { runRow } from './run-row.ts';
import { type Servers, startServers } from './stack.ts';
import { formatTable, type Result, verdictOf } from './table.ts';

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') return console.log(usage);
  const rows = chooseRows(options);
  // Signals end this process through `exit`; what it has started is then ended by its guard.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

  const progress = createProgress(rows.length);
  progress.show('building');
  await build();
  progress.show('starting RabbitMQ, Redis and MongoDB');
  let servers = await startServers();
  const versions = await readVersions(servers);
  const startedAt = new Date();
  const results: Result[] = [];
  try {
    for (const row of rows) {
      const show = progress.begin(row.name);
      const result = await resultOf(row, () =>
        row.target === 'local' ? runLocal(options, show) : runRow(row, servers, options, show),
      );
      results.push(result);
      progress.end(`${verdictOf(result)}${result.broken.map((sentence) => `\n    ${sentence}`).join('')}`);
      // After each row, so that of a run that is broken off there is what it came to.
      if (options.write) await writeDocument({ results, options, versions, startedAt });
      // What an unforeseen end of a row has left behind must not be the next one's fault.
      if (!result.observed && result.notRun === undefined) servers = await replace(servers);
    }
    console.log(`\n${formatTable(results)}\n`);
    const held = results.filter((result) => verdictOf(result) === 'held').length;
    console.log(`${held} of ${results.length} rows held; seed ${options.seed}`);
  } finally {
    await servers.stop();
  }
  process.exitCode = results.some(({ broken }) => broken.length > 0) ? 1 : 0;
}

async function resultOf(row: Row, run: () => ReturnType<typeof runRow>): Promise<Result> {
  try {
    const observed = await run();
    return { row, observed, broken: judge(row, observed) };
  } catch (error) {
    if (error instanceof NotRun) return { row, broken: [], notRun: error.message };
    return { row, broken: [`it did not come to its end: ${(error as Error).message}`] };
  }
}

async function replace(servers: Servers): Promise<Servers> {
  await servers.stop();
  return startServers();
}

/** The programs run from the build, as in production. */
async function build(): Promise<void> {
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await promisify(execFile)(process.execPath, [tsc, '-b', 'api', 'consumer'], { cwd: root });
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(`chaos: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
