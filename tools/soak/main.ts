/**
 * `npm run soak`: a steady load on the real parts for half an hour, to see that neither memory nor file descriptors
 * grow and that the ledger balances. Ends with 1 when one of them does not hold.
 */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { type PipelineReport } from '../../api/services/pipeline.ts';
import { type Child, spawnProcess } from '../services/child.ts';
import { freePort } from '../services/free-port.ts';
import { serviceNames, startAll, stopAll } from '../services/start-all.ts';
import { type Load, sendLoad } from './load.ts';
import { type Sample, slope, takeSample } from './sample.ts';

const SLOPE_MAX_MB_PER_MINUTE = 1;
/** Connections of clients come and go; what leaks only grows. */
const FDS_TOLERANCE = 5;
/** Memory settles in this part of the time; what comes after it is judged. */
const WARM_UP_SHARE = 1 / 3;
const SAMPLE_EVERY_MS = 5000;
const SETTLE_TIMEOUT_MS = 60_000;

const root = path.join(__dirname, '../..');
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, rate: { type: 'string', default: '300' } },
});
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];

interface Program {
  name: string;
  child: Child;
  port: number;
  samples: Sample[];
}

async function startProgram(
  name: string,
  file: string,
  portName: string,
  settings: NodeJS.ProcessEnv,
): Promise<Program> {
  const port = await freePort();
  const env = { ...process.env, ...settings, [portName]: String(port) };
  const child = spawnProcess(name, process.execPath, [path.join(root, file)], env);
  await child.answers(async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`);
    if (!answer.ok) throw new Error('not ready');
  });
  return { name, child, port, samples: [] };
}

async function watch(programs: Program[], load: Load, signal: AbortSignal): Promise<void> {
  const begun = performance.now();
  for (let count = 0; !signal.aborted; count += 1) {
    const minute = (performance.now() - begun) / 60_000;
    // As a Prometheus would, so that what watching costs is in the figures.
    for (const { port } of programs) await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    for (const { child, samples } of programs) samples.push(takeSample(child.pid, minute));
    if (count % 12 === 0) {
      const held = programs.map(({ name, samples }) => {
        const last = samples.at(-1);
        return `${name} ${last?.rssMb.toFixed(0)} MB, ${last?.fds ?? '-'} fds`;
      });
      console.log(`${minute.toFixed(1).padStart(5)} min  ${load.accepted} accepted  ${held.join('  ')}`);
    }
    await delay(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function readPipeline({ port }: Program): Promise<PipelineReport> {
  for (const deadline = Date.now() + SETTLE_TIMEOUT_MS; ; await delay(1000)) {
    const report = (await (await fetch(`http://127.0.0.1:${port}/api/v1/pipeline`)).json()) as PipelineReport;
    if (report.settled || Date.now() > deadline) return report;
  }
}

/** One line for each thing that does not hold. */
async function balance(load: Load, api: Program, database: string): Promise<string[]> {
  const pipeline = await readPipeline(api);
  const client = new MongoClient(database);
  const documents = await client.db().collection('activities').countDocuments();
  const letters = await client.db().collection('dead_letters').countDocuments();
  await client.close();
  const { accepted, stored, duplicate, dead, inFlight, difference, settled } = pipeline;
  console.log(`\nLoad: ${JSON.stringify({ ...load, unexpected: Object.fromEntries(load.unexpected) })}`);
  console.log(
    `Pipeline: ${JSON.stringify({ accepted, stored, duplicate, dead, inFlight, difference, settled })}`,
  );
  console.log(`Store: ${documents} activities, ${letters} dead letters`);
  const expectations: [string, boolean][] = [
    ['requests had an unexpected end', load.unexpected.size === 0],
    ['the store does not hold what was accepted', documents === load.accepted - load.again && letters === 0],
    ['the pipeline is not settled with a difference of 0', settled && difference === 0],
    [
      'the pipeline counts otherwise',
      accepted === load.accepted && stored === documents && duplicate === load.again,
    ],
  ];
  return expectations.filter(([, holds]) => !holds).map(([fault]) => fault);
}

/** Prints the table; one line for each thing that does not hold. */
function judge(programs: Program[]): string[] {
  console.log(
    '\n| Process | RSS first | RSS last | RSS max | RSS slope after warm-up | fds first | fds last |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  return programs.flatMap(({ name, samples }) => {
    const warm = samples.filter(({ minute }) => minute >= minutes * WARM_UP_SHARE);
    const [first, last] = [warm[0], warm.at(-1)];
    if (!first || !last) return [`${name} was not watched`];
    const growth = slope(warm);
    const max = Math.max(...warm.map(({ rssMb }) => rssMb));
    const cells = [first.rssMb, last.rssMb, max].map((mb) => `${mb.toFixed(1)} MB`);
    console.log(
      `| ${[name, ...cells, `${growth.toFixed(3)} MB/min`, first.fds ?? '-', last.fds ?? '-'].join(' | ')} |`,
    );
    const faults = growth > SLOPE_MAX_MB_PER_MINUTE ? [`the memory of the ${name} grows`] : [];
    if ((last.fds ?? 0) - (first.fds ?? 0) > FDS_TOLERANCE)
      faults.push(`the file descriptors of the ${name} grow`);
    return faults;
  });
}

async function main(): Promise<void> {
  if (!(minutes > 0 && rate > 0)) throw new Error('npm run soak -- [--minutes N] [--rate EVENTS_PER_SECOND]');
  console.log(`${rate} events/s for ${minutes} min; the first third is warm-up.`);
  const services = await startAll(serviceNames);
  const database = `${services.mongodb?.url ?? ''}/activity_db`;
  const settings = {
    ...{ NODE_ENV: 'production', LOG_LEVEL: 'warn', RATE_LIMIT_MAX_REQUESTS: '1000000000' },
    ...{ RABBITMQ_URL: services.rabbitmq?.url, DATABASE_URL: database, REDIS_URL: services.redis?.url },
  };
  const worker = await startProgram('worker', 'consumer/dist/worker.js', 'CONSUMER_PORT', settings);
  const api = await startProgram('API', 'api/dist/server.js', 'API_PORT', settings);
  const programs = [api, worker];
  const load: Load = { accepted: 0, again: 0, invalid: 0, unexpected: new Map() };
  const over = new AbortController();
  const watching = watch(programs, load, over.signal);
  await sendLoad(`http://127.0.0.1:${api.port}/api/v1/activities`, rate, minutes, load);
  over.abort();
  await watching;
  const faults = [...(await balance(load, api, database)), ...judge(programs)];
  for (const { child } of programs.toReversed()) await child.stop();
  await stopAll(services);
  console.log(faults.length === 0 ? '\nEverything held.' : `\nDid not hold: ${faults.join('; ')}.`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  console.error(`soak: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
