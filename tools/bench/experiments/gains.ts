import path from 'node:path';
import { compiled } from '../compile.ts';
import { type Experiment, type Section } from '../experiment.ts';
import { STEPS } from '../ladder/steps.ts';
import { formatSummary, type Results, table } from '../results.ts';
import { apis, type Kind, workers } from '../stack.ts';
import { acceptColumns, compareAccept } from './accept.ts';
import { backlogs, compareDrains, drainColumns } from './drain.ts';

interface Switch {
  name: string;
  settings: Record<string, string>;
}

/** What the environment can change of the API, for single events. */
const API_SWITCHES: readonly Switch[] = [
  { name: 'a message each (`MESSAGE_EVENTS_MAX=1`)', settings: { MESSAGE_EVENTS_MAX: '1' } },
  { name: '`RATE_LIMIT_MODE=off`', settings: { RATE_LIMIT_MODE: 'off' } },
  { name: '`LOG_LEVEL=silent`', settings: { LOG_LEVEL: 'silent' } },
];

/** What the environment can change of the worker, for a backlog of one event a message. */
const WORKER_SWITCHES: readonly Switch[] = [
  { name: '`BATCH_SIZE_MAX=1`', settings: { BATCH_SIZE_MAX: '1' } },
  { name: '`BATCH_SIZE_MAX=100`', settings: { BATCH_SIZE_MAX: '100' } },
  { name: '`BATCH_SIZE_MAX=1000`', settings: { BATCH_SIZE_MAX: '1000' } },
  { name: '`WRITES_IN_FLIGHT_MAX=1`', settings: { WRITES_IN_FLIGHT_MAX: '1' } },
  { name: '`WRITES_IN_FLIGHT_MAX=4`', settings: { WRITES_IN_FLIGHT_MAX: '4' } },
  { name: '`CONSUMER_PREFETCH=100`', settings: { CONSUMER_PREFETCH: '100' } },
  { name: '`CONSUMER_PREFETCH=4000`', settings: { CONSUMER_PREFETCH: '4000' } },
];

/** Ours as it is, and with each switch alone; `create` makes of it what is to be run. */
function switched<T>(kind: Kind, switches: readonly Switch[], create: (kind: Kind) => T): Record<string, T> {
  const others = switches.map(({ name, settings }) => [name, create({ ...kind, settings })]);
  return { ours: create(kind), ...(Object.fromEntries(others) as Record<string, T>) };
}

export const ladder: Experiment = {
  name: 'ladder',
  title: 'What each gain of the HTTP part is worth',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const file = path.join(compiled, 'ladder/api.js');
    const cases = Object.fromEntries(
      STEPS.map((step, index) => [
        index < 2 ? step : `+ ${step}`,
        { kind: { file, settings: { STEP: step } }, events: 1, connections: 64, hasQueue: false },
      ]),
    );
    const { results, duration } = await compareAccept(bench, cases, progress);
    const columns = Object.entries(acceptColumns).filter(([, figure]) => figure !== 'brokerUs');
    return {
      how: `A small server of its own (\`tools/bench/ladder\`) that publishes nothing: 64 connections, single events, ${duration}. Each step has all those before it, but for node:http, which stands for itself.`,
      tables: [table(results, Object.fromEntries(columns))],
      bars: [],
      notes: [steps(results)],
      faults: results.faults,
    };
  },
};

/** The gain of each step over the one before it; Markdown would take its plus for a list in the list. */
function steps(results: Results): string {
  const names = results.variants.slice(1);
  return names
    .slice(1)
    .map((name, index) => {
      const gain = results.ratio('rate', name, names[index] ?? '');
      return `- ${name.replace('+ ', '')}: × ${formatSummary(gain)}`;
    })
    .join('\n');
}

export const gains: Experiment = {
  name: 'gains',
  title: 'What each setting is worth',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const { many } = backlogs(bench);
    const accepts = switched(apis.ours, API_SWITCHES, (kind) => ({ kind, events: 1, connections: 64 }));
    const accepted = await compareAccept(bench, accepts, progress);
    const drains = switched(workers.ours, WORKER_SWITCHES, (kind) => {
      // What writes one document at a time would need minutes for it all.
      const events = kind.settings?.BATCH_SIZE_MAX === '1' ? many / 10 : many;
      return { kind, events, eventsPerMessage: 1 };
    });
    const drained = await compareDrains(bench, drains, progress);
    return {
      how: `Ours with its defaults, and with one setting changed: single events over 64 connections ${accepted.duration}, without a worker; then a backlog of ${many} events, one a message.`,
      tables: [table(accepted.results, acceptColumns), table(drained, drainColumns)],
      bars: [],
      faults: [...accepted.results.faults, ...drained.faults],
    };
  },
};
