import os from 'node:os';
import { type Experiment, type Section } from '../experiment.ts';
import { type Results, table } from '../results.ts';
import { apis, workers } from '../stack.ts';
import { acceptColumns, compareAccept } from './accept.ts';
import { backlogs, compareDrains, drainColumns } from './drain.ts';

export const scale: Experiment = {
  name: 'scale',
  title: 'Two processes instead of one',
  isQuick: false,
  async run(bench, progress): Promise<Section> {
    const accept = { kind: apis.ours, events: 1, connections: 64 };
    const accepting = { 'one API': accept, 'two APIs': { ...accept, processes: 2 } };
    const accepted = await compareAccept(bench, accepting, progress);
    const { many } = backlogs(bench);
    const drain = { kind: workers.ours, events: many, eventsPerMessage: 1 };
    const draining = { 'one worker': drain, 'two workers': { ...drain, processes: 2 } };
    const drained = await compareDrains(bench, draining, progress);
    const ratio = (results: Results, two: string, one: string) =>
      results.ratio('rate', two, one).median.toFixed(2);
    return {
      how: `Ours. Single events over 64 connections, spread over the APIs, ${accepted.duration}, without a worker; and a backlog of ${many} events, one a message. Shown only: the ${os.cpus().length} cores of this machine are shared by all processes, the broker, the store and the load generator, so that a second process mostly takes from the others what it uses. The figures of the first process of two are given.`,
      tables: [table(accepted.results, acceptColumns), table(drained, drainColumns)],
      bars: [],
      notes: [
        `Two APIs over one: ${ratio(accepted.results, 'two APIs', 'one API')}. Two workers over one: ${ratio(drained, 'two workers', 'one worker')}.`,
      ],
      faults: [...accepted.results.faults, ...drained.faults],
    };
  },
};
