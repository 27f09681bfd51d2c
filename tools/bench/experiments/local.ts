import { MongoClient } from 'mongodb';
import { type Experiment, interleave, type Section } from '../experiment.ts';
import { type Figures, type Results, table } from '../results.ts';
import { type Bench } from '../stack.ts';
import { descendants, run } from '../../programs.ts';
import { freePort } from '../../services/free-port.ts';
import { temporaryFolder } from '../../services/service.ts';
import { CATCH_UP_MAX_S, sustain, sustainSeconds, sustainSpace, WARM_UP_S } from './sustained.ts';

/** What `npm start` runs, with an engine and a data folder of its own, under the load that `sustained` makes. */
async function sustainLocal(bench: Bench, results: Results): Promise<Figures> {
  const settings = {
    DATA_FOLDER: await temporaryFolder('bench'),
    API_PORT: String(await freePort()),
    CONSUMER_PORT: String(await freePort()),
    RATE_LIMIT_MAX_REQUESTS: '1000000000',
  };
  const args = ['--import', 'tsx', '--conditions=source', 'local/start.ts'];
  const program = run(process.execPath, args, settings);
  try {
    await program.printed(/Ctrl-C/);
    const engine = descendants(program.pid).find(({ command }) => command.includes('--dbpath'));
    const [, port = ''] = /--port (\d+)/.exec(engine?.command ?? '') ?? [];
    const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/activity_db`);
    const stored = () => client.db().collection('activities').estimatedDocumentCount();
    try {
      return await sustain(bench, { port: Number(settings.API_PORT), stored }, 'npm start', results);
    } finally {
      await client.close();
    }
  } finally {
    await program.stop();
  }
}

export const local: Experiment = {
  name: 'local',
  title: 'Local mode (`npm start`)',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const variants = ['npm start', 'seed-shaped'];
    const results = await interleave(bench.options, variants, progress, (variant, found) =>
      variant === 'npm start' ? sustainLocal(bench, found) : sustainSpace(bench, 'seed-shaped', found),
    );
    const ratio = (figure: string) => results.ratio(figure, 'npm start', 'seed-shaped');
    return {
      how: `\`npm start\` with nothing else: queue and store are on an embedded MongoDB engine, and requests are counted in the API itself. Next to it what is seed-shaped, on RabbitMQ. 64 connections, single events, for ${sustainSeconds(bench)} s after ${WARM_UP_S} s of the same load; ∞ means more than ${CATCH_UP_MAX_S} s.`,
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
