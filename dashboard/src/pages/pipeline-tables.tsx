import { type PipelineReport, type ProcessSummary, type Quantiles } from '../api-types.ts';
import { Panel } from '../components/panel.tsx';
import { Empty } from '../components/states.tsx';
import { type Column, Table } from '../components/table.tsx';
import { Time } from '../components/time.tsx';
import { formatCount, formatMs } from '../format.ts';

export function Latencies({ report: { latencies } }: { report: PipelineReport }) {
  const rows: [name: string, Quantiles][] = [
    ['The broker confirms a publish', latencies.confirm],
    ['The database takes a write', latencies.write],
    ['From accepted to stored', latencies.acceptToStored],
  ];
  const milliseconds = (name: 'p50Ms' | 'p95Ms' | 'p99Ms'): Column<[string, Quantiles]> => ({
    name: name.slice(0, 3),
    isNumber: true,
    cell: ([, quantiles]) => formatMs(quantiles[name]),
  });
  return (
    <Panel title="How long it takes" note="over the last seconds">
      <Table
        caption="How long it takes"
        rows={rows}
        keyOf={([name]) => name}
        columns={[
          { name: 'What', isWide: true, cell: ([name]) => name },
          milliseconds('p50Ms'),
          milliseconds('p95Ms'),
          milliseconds('p99Ms'),
          { name: 'Measured', isNumber: true, cell: ([, { count }]) => formatCount(count) },
        ]}
      />
    </Panel>
  );
}

const tones = { running: 'good', silent: 'warn', ended: 'quiet' };

export function Processes({ processes }: { processes: readonly ProcessSummary[] }) {
  const count = (name: string, read: (process: ProcessSummary) => number | undefined) => ({
    name,
    isNumber: true,
    cell: (process: ProcessSummary) => formatOptional(read(process)),
  });
  return (
    <Panel title="Processes">
      {processes.length === 0 ? (
        <Empty title="No process has reported yet" />
      ) : (
        <Table
          caption="Processes"
          rows={processes}
          keyOf={({ service, name, startedAt }) => `${service} ${name} ${startedAt}`}
          columns={[
            { name: 'Name', isWide: true, cell: ({ name }) => name },
            { name: 'Service', cell: ({ service }) => (service === 'api' ? 'API' : 'Worker') },
            { name: 'State', cell: ({ state }) => <State state={state} /> },
            count('In flight', ({ inFlight }) => inFlight),
            count('Accepted', ({ accepted }) => accepted),
            count('Stored', ({ stored }) => stored),
            count('Duplicates', ({ duplicate }) => duplicate),
            count('Dead letters', ({ dead }) => dead),
            count('Redelivered', ({ redelivered }) => redelivered),
            count('Limited', ({ rateLimited }) => rateLimited),
            { name: 'Last heard', isNumber: true, cell: ({ reportedAt }) => <Time at={reportedAt} short /> },
          ]}
        />
      )}
    </Panel>
  );
}

function State({ state }: Pick<ProcessSummary, 'state'>) {
  return (
    <span className="tag" data-tone={tones[state]}>
      {state}
    </span>
  );
}

/** An API stores nothing and a worker accepts nothing: no number is not zero. */
function formatOptional(count: number | undefined): string {
  return count === undefined ? '–' : formatCount(count);
}
