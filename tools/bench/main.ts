/**
 * `npm run bench`: measures this project against what it is compared with, side by side, and writes docs/performance.md.
 * All of it takes about three hours of a machine that does nothing else. `--only` runs some experiments, and leaves the
 * other sections of the document as they are; `--quick` takes a minute for accepting and draining, and shows where one
 * stands.
 */
import { compileVariants } from './compile.ts';
import { writeDocument } from './document.ts';
import { type Experiment } from './experiment.ts';
import { acceptBatch, acceptSingle, limiter } from './experiments/accept.ts';
import { drainPacked, drainSingle } from './experiments/drain.ts';
import { gains, ladder } from './experiments/gains.ts';
import { growth } from './experiments/growth.ts';
import { latency } from './experiments/latency.ts';
import { local } from './experiments/local.ts';
import { memory } from './experiments/memory.ts';
import { overview } from './experiments/overview.ts';
import { scale } from './experiments/scale.ts';
import { everyPair } from './experiments/pairs.ts';
import { acceptWhileDraining, sustained } from './experiments/sustained.ts';
import { describeMachine, watchOthers } from './machine.ts';
import { readOptions } from './options.ts';
import { renderSection } from './render.ts';
import { openBench } from './stack.ts';
import { createProgress } from '../chaos/progress.ts';

const experiments: readonly Experiment[] = [
  acceptSingle,
  acceptBatch,
  drainSingle,
  drainPacked,
  sustained,
  everyPair,
  latency,
  acceptWhileDraining,
  limiter,
  scale,
  local,
  memory,
  growth,
  overview,
  ladder,
  gains,
];

async function main(): Promise<void> {
  const options = readOptions(experiments.map(({ name }) => name));
  const { only, quick } = options;
  const chosen = experiments.filter(({ name, isQuick }) =>
    only.length > 0 ? only.includes(name) : isQuick || !quick,
  );
  compileVariants();
  const bench = await openBench(options);
  try {
    const machine = await describeMachine(bench.rabbitmq, bench.client);
    console.log(machine.join('\n'));
    const progress = createProgress(chosen.length);
    for (const experiment of chosen) {
      const startedAt = new Date();
      const others = watchOthers();
      try {
        const section = await experiment.run(bench, progress.begin(experiment.name));
        const held = section.bars.filter(({ holds }) => holds).length;
        progress.end(section.bars.length > 0 ? `${held} of ${section.bars.length} bars hold` : 'shown');
        const text = renderSection(experiment, section, options, startedAt, others());
        console.log(`\n${text}\n`);
        if (options.write) await writeDocument(experiments, experiment.name, text, machine);
      } catch (error) {
        // The others are still worth having.
        progress.end(`failed: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = 1;
      }
    }
  } finally {
    await bench.stop();
  }
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
