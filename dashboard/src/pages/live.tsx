import { useState } from 'react';
import { Link, useSearch } from 'wouter';
import { Icon } from '../components/icon.tsx';
import { Page } from '../components/page.tsx';
import { Empty } from '../components/states.tsx';
import { formatCount, formatCounted } from '../format.ts';
import { ENTRIES_MAX, type Stream, useStream } from '../use-stream.ts';
import { LiveFilter } from './live-filter.tsx';
import { LiveTable } from './live-table.tsx';
import './live.css';

export default function Live() {
  const search = useSearch();
  const [isPaused, setPaused] = useState(false);
  const stream = useStream(search === '' ? '' : `?${search}`, isPaused);
  return (
    <Page title="Live" lead={`Events as they are stored, the newest ${formatCount(ENTRIES_MAX)} of them.`}>
      {/* Another filter, also one from a link, is another form. */}
      <LiveFilter key={search} />
      <section className="panel" aria-label="Events">
        <div className="live-state">
          <State state={stream.state} isPaused={isPaused} />
          <button type="button" className="button" onClick={() => setPaused(!isPaused)}>
            <Icon name={isPaused ? 'play' : 'pause'} />
            {isPaused ? `Resume with ${formatCounted(stream.waiting, 'new event')}` : 'Pause'}
          </button>
        </div>
        {stream.entries.length > 0 ? (
          <LiveTable entries={stream.entries} />
        ) : (
          <Nothing state={stream.state} isFiltered={search !== ''} />
        )}
      </section>
    </Page>
  );
}

/** The only thing here that a screen reader is told: events come faster than anybody could listen. */
function State({ state, isPaused }: { state: Stream['state']; isPaused: boolean }) {
  const [tone, text] = describe(state, isPaused);
  return (
    <p role="status" className="live-words" data-tone={tone}>
      <span className="dot" />
      {text}
    </p>
  );
}

function describe(state: Stream['state'], isPaused: boolean): [tone: string, text: string] {
  if (state === 'away') return ['warn', 'The API does not answer. Trying again …'];
  if (isPaused) return ['quiet', 'Paused. What comes meanwhile is kept for you.'];
  return state === 'open' ? ['good', 'Listening'] : ['quiet', 'Connecting …'];
}

function Nothing({ state, isFiltered }: { state: Stream['state']; isFiltered: boolean }) {
  if (state !== 'open') return <Empty title="Nothing to show yet" />;
  return (
    <Empty title={isFiltered ? 'No event like this yet' : 'No events yet'}>
      <p>
        They appear here within half a second. <Link href="/send">Send one</Link>, or go shopping in the{' '}
        <Link href="/shop">demo shop</Link>.
      </p>
    </Empty>
  );
}
