import { type PipelineReport } from '../api-types.ts';
import { Page } from '../components/page.tsx';
import { Loaded } from '../components/states.tsx';
import { useResource } from '../use-resource.ts';
import { PipelineCharts } from './pipeline-charts.tsx';
import { ASK_EVERY_MS, useHistory } from './pipeline-history.ts';
import { Figures } from './pipeline-figures.tsx';
import { Latencies, Processes } from './pipeline-tables.tsx';
import { StandingSum } from './pipeline-sum.tsx';
import './pipeline.css';

export default function Pipeline() {
  const pipeline = useResource<PipelineReport>('/api/v1/pipeline', { everyMs: ASK_EVERY_MS });
  const samples = useHistory(pipeline.data);
  return (
    <Page title="Pipeline" lead="What became of every event that was accepted, over all processes.">
      <Loaded resource={pipeline}>
        {(report) => (
          <div className="stack">
            <StandingSum report={report} />
            <Figures report={report} />
            <PipelineCharts samples={samples} />
            <Latencies report={report} />
            <Processes processes={report.processes} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
