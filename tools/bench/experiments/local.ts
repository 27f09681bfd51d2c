import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { type Experiment, interleave, type Section } from '../experiment.ts';
import { runLoad } from '../load.ts';
import { type Figures, type Results, table } from '../results.ts';
import { settled } from '../stack.ts';
import { descendants, run } from '../../programs.ts';
import { freePort } from '../../services/free-port.ts';
import { temporaryFolder } from '../../services/service.ts';
import { sustain } from './sustained.ts';

/** What `npm start` runs, with an engine and a data folder of its own, under the load that `sustained` makes. */
async function sustainLocal(quick: boolean, results: Results): Promise<Figures> {
  const seconds = quick ? 4 : 20;
  const settings = {
    DATA_FOLDER: await temporaryFolder('bench'),
    API_PORT: String(await freePort()),
    CONSUMER_PORT: String(await freePort()),
    RATE_LIMIT_MAX_REQUESTS: '1000000000',
    NODE_ENV: 'production',
  };
  const args = ['--import', 'tsx', '--conditions=source', 'local/start.ts'];
  const program = run(process.execPath, args, settings);
  try {
    await program.printed(/Ctrl-C/);
    const engine = descendants(program.pid).find(({ command }) => command.includes('--dbpath'));
    const [, port = ''] = /--port (\d+)/.exec(engine?.command ?? '') ?? [];
    const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/activity_db`);
    const stored = () => client.db().collection('activities').estimatedDocumentCount();
    const load = { ports: [Number(settings.API_PORT)], connections: 64, events: 1 };
    await runLoad({ ...load, seconds: 2 });
    const before = await settled(stored);
    const { unexpected, accepted, requests, p99Ms } = await runLoad({ ...load, seconds });
    const count = (await stored()) - before;
    results.note('npm start', unexpected);
    const behind = accepted - count;
    let catchUpS = 0;
    for (; catchUpS < 5 && (await stored()) - before < accepted; catchUpS += 0.02) await delay(20);
    await client.close();
    const figures = { acceptedRate: requests / seconds, storedRate: count / seconds, behind, p99Ms };
    return { ...figures, catchUpS: catchUpS < 5 ? catchUpS : NaN };
  } finally {
    await program.stop();
  }
}

export const local: Experiment = {
  name: 'local',
  title: 'Local mode (`npm start`)',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const { quick, rounds } = bench.options;
    const variants = ['npm start', 'seed-shaped'];
    const results = await interleave(rounds, variants, progress, (variant, found) =>
      variant === 'npm start' ? sustainLocal(quick, found) : sustain(bench, 'seed-shaped', variant, found),
    );
    const ratio = (figure: string) => results.ratio(figure, 'npm start', 'seed-shaped');
    return {
      how: `\`npm start\` with nothing else: queue and store are on an embedded MongoDB engine, and requests are counted in the API itself. Next to it what is seed-shaped, on RabbitMQ. 64 connections, single events, for ${quick ? 4 : 20} s after 2 s of the same load.`,
      tables: [
        table(results, {
          'accepted/s': 'acceptedRate',
          'stored/s': 'storedRate',
          'behind at the end': 'behind',
          's until all is stored': 'catchUpS',
          'accept p99 ms': 'p99Ms',
        }),
      ],
      bars: [
        results.bar('accepted/s, `npm start` over seed-shaped', ratio('acceptedRate'), '>= 1'),
        results.bar('stored/s, `npm start` over seed-shaped', ratio('storedRate'), '>= 1'),
      ],
      faults: results.faults,
    };
  },
};
