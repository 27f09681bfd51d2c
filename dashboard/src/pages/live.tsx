import { useState } from 'react';
import { Link, useSearch } from 'wouter';
import { Icon } from '../components/icon.tsx';
import { Page } from '../components/page.tsx';
import { Empty, ErrorNotice } from '../components/states.tsx';
import { formatCount, formatCounted } from '../format.ts';
import { ENTRIES_MAX, useStream } from '../use-stream.ts';
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
        {stream.error && <ErrorNotice error={stream.error} onRetry={stream.reconnect} />}
        <div className="live-state">
          <State isOpen={stream.isOpen} isPaused={isPaused} />
          <button type="button" className="button" onClick={() => setPaused(!isPaused)}>
            <Icon name={isPaused ? 'play' : 'pause'} />
            {isPaused ? `Resume with ${formatCounted(stream.waiting, 'new event')}` : 'Pause'}
          </button>
        </div>
        {stream.entries.length > 0 ? (
          <LiveTable entries={stream.entries} newest={stream.newest} />
        ) : (
          <Nothing isOpen={stream.isOpen} isFiltered={search !== ''} />
        )}
      </section>
    </Page>
  );
}

/** The only thing here that a screen reader is told: events come faster than anybody could listen. */
function State({ isOpen, isPaused }: { isOpen: boolean; isPaused: boolean }) {
  const [tone, text] = describe(isOpen, isPaused);
  return (
    <p role="status" className="live-words" data-tone={tone}>
      <span className="dot" />
      {text}
    </p>
  );
}

function describe(isOpen: boolean, isPaused: boolean): [tone: string, text: string] {
  if (isPaused) return ['quiet', 'Paused. What comes meanwhile is kept for you.'];
  return isOpen ? ['good', 'Listening'] : ['warn', 'Not connected'];
}

function Nothing({ isOpen, isFiltered }: { isOpen: boolean; isFiltered: boolean }) {
  if (!isOpen) return <Empty title="Nothing to show yet" />;
  return (
    <Empty title={isFiltered ? 'No event like this yet' : 'No events yet'}>
      <p>
        They appear here within half a second. <Link href="/send">Send one</Link>, or go shopping in the{' '}
        <Link href="/shop">demo shop</Link>.
      </p>
    </Empty>
  );
}
