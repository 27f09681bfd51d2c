import { Link } from 'wouter';
import { type PipelineReport } from '../api-types.ts';
import { Panel } from '../components/panel.tsx';
import { formatCount, formatCounted } from '../format.ts';

/** accepted = stored + duplicate + dead letters + in flight: whatever is missing shows here. */
export function StandingSum({ report }: { report: PipelineReport }) {
  const { accepted, stored, duplicate, dead, inFlight, difference, settled } = report;
  const parts: [sign: string, name: string, count: number][] = [
    ['', 'Accepted', accepted],
    ['=', 'Stored', stored],
    ['+', 'Duplicates', duplicate],
    ['+', 'Dead letters', dead],
    ['+', 'In flight', inFlight],
  ];
  if (difference) parts.push([difference > 0 ? '+' : '−', 'Difference', Math.abs(difference)]);
  return (
    <Panel title="The sum of all events" actions={<Verdict difference={difference} />}>
      <dl className="sum">
        {parts.map(([sign, name, count]) => (
          <div key={name} className="sum-part" data-sign={sign}>
            <dt>{name === 'Dead letters' ? <Link href="/dead-letters">{name}</Link> : name}</dt>
            <dd>{formatCount(count)}</dd>
          </div>
        ))}
      </dl>
      {/* What is in flight may even be less than nothing then: stored, and not yet told of as accepted. */}
      {!settled && <p className="muted">As the processes tell it, each about once a second.</p>}
    </Panel>
  );
}

function Verdict({ difference }: Pick<PipelineReport, 'difference'>) {
  const [tone, text] = judge(difference);
  return (
    <span className="tag" data-tone={tone}>
      {text}
    </span>
  );
}

function judge(difference: number | null): [tone: string, text: string] {
  if (difference === null) return ['quiet', 'Events are on their way'];
  if (difference === 0) return ['good', 'Nothing is missing'];
  const events = formatCounted(Math.abs(difference), 'event');
  return ['bad', difference > 0 ? `${events} missing` : `${events} too many`];
}
