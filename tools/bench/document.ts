import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { root } from '../programs.ts';
import { type Experiment } from './experiment.ts';
import { allBars } from './results.ts';

const file = path.join(root, 'docs', 'performance.md');

const INTRODUCTION = `# Performance

This document is written by \`npm run bench\`; see \`tools/bench\`. Figures are medians over the rounds, with the least and the
greatest in parentheses; they move with the machine. The ratios are what counts: each is taken within a round, in which the
variants ran one after the other on the same servers.

- _ours_ is this project as it is shipped: the built API and worker with their defaults, helmet, an exact limit in Redis,
  validation, and a 202 only after the broker's confirm.
- _seed-shaped_ is the usual way to build such a pipeline: Express as it comes, Joi, \`sendToQueue\` without confirms; a worker
  with prefetch 1 and \`new Model().save()\` into a collection that has no index but
  that of \`_id\`, where ours has four more and waits for the journal. _careful_ adds helmet, a limit in Redis
  and one awaited confirm a request.
- _bare_ is the ceiling: node:http or amqplib and the native driver alone, with the same promise to the client, and nothing
  else.

All of them declare their queue plainly, on a broker whose default queue type is quorum and whose log is begun anew after
64 MiB, as docker-compose.yml sets it (until 2026-11-29 16:50 after RabbitMQ's default of 512 MiB: then it depends on what ran
before whether a backlog is read from memory or from its files). What
is named a _classic queue_ ran on a broker without that setting, and is compared with what is seed-shaped there: which has
its best figures on it, since it waits for the broker at each message.

Each section says when and on which processor it ran, and is of the code of that time. On Node.js 26, which the
Docker images have, some bars do not hold: see [where the time goes](where-the-time-goes.md#on-nodejs-26).

CPU is user and system time of a process and its children.`;

const begin = (name: string) => `<!-- bench: ${name} -->`;
const end = (name: string) => `<!-- end of bench: ${name} -->`;

/** Puts one section into docs/performance.md; those of other experiments stay as they are. */
export async function writeDocument(
  experiments: readonly Experiment[],
  name: string,
  text: string,
  machine: readonly string[],
): Promise<void> {
  const earlier = await readFile(file, 'utf8').catch(() => '');
  const date = `- Latest run: ${new Date().toISOString().slice(0, 10)}`;
  const sections = experiments.flatMap((experiment) => {
    const section = experiment.name === name ? text : between(earlier, experiment.name);
    return section === undefined ? [] : [{ name: experiment.name, text: section }];
  });
  const missing = experiments
    .filter((experiment) => !sections.some((section) => section.name === experiment.name))
    .map((experiment) => `\`${experiment.name}\``);
  const notRun = missing.length > 0 ? [`Not run yet: ${missing.join(', ')}.`] : [];
  const written = [
    INTRODUCTION,
    [date, ...machine].join('\n'),
    ...notRun,
    '## All bars',
    allBars(sections.map((section) => section.text)).join('\n'),
    ...sections.flatMap((section) => [begin(section.name), section.text, end(section.name)]),
  ].join('\n\n');
  await writeFile(file, await format(written, { ...(await resolveConfig(file)), parser: 'markdown' }));
}

function between(text: string, name: string): string | undefined {
  return text.split(begin(name))[1]?.split(end(name))[0]?.trim();
}
