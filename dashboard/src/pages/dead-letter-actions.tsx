import { useState } from 'react';
import { Link } from 'wouter';
import { ApiError, callApi } from '../api.ts';
import { Confirm } from '../components/confirm.tsx';
import { Icon } from '../components/icon.tsx';
import { formatCounted } from '../format.ts';
import { eventPath } from '../paths.ts';
import { bodyOf, type Filter } from './dead-letter-filter.tsx';

/** What came of an action, for people. */
export interface Told {
  tone: 'good' | 'warn' | 'bad';
  text: string;
  /** Those that are on their way again. */
  eventIds?: readonly string[];
}

export function ToldNotice({ told }: { told: Told | undefined }) {
  return (
    <div role="status" className="told">
      {told && (
        <p className="notice" data-tone={told.tone}>
          <Icon name={told.tone === 'good' ? 'check' : 'warning'} />
          <span>
            {told.text}{' '}
            {told.eventIds?.map((eventId) => (
              <Link key={eventId} href={eventPath(eventId)}>
                {eventId}
              </Link>
            ))}
          </span>
        </p>
      )}
    </div>
  );
}

function toldOf(error: unknown): Told {
  if (!(error instanceof ApiError)) throw error;
  return { tone: 'bad', text: `${error.title}. ${error.message}` };
}

interface BulkActionsProps {
  filter: Filter;
  onDone: (told: Told) => void;
}

/** Acts upon every letter that fits the filter, also upon those that are not loaded. */
export function BulkActions({ filter, onDone }: BulkActionsProps) {
  const [asked, setAsked] = useState<'replay' | 'purge'>();
  const [isBusy, setBusy] = useState(false);
  const which = whichOf(filter);

  async function run(act: (filter: Filter) => Promise<Told>): Promise<void> {
    setAsked(undefined);
    setBusy(true);
    const told = await act(filter).catch(toldOf);
    setBusy(false);
    onDone(told);
  }

  return (
    <>
      <button type="button" className="button" disabled={isBusy} onClick={() => setAsked('replay')}>
        Replay {which} …
      </button>
      <button type="button" className="button danger" disabled={isBusy} onClick={() => setAsked('purge')}>
        Purge {which} …
      </button>
      {asked === 'replay' && (
        <Confirm
          title={`Replay ${which}?`}
          action="Replay"
          onConfirm={() => void run(replayAll)}
          onCancel={() => setAsked(undefined)}
        >
          <p>Each event is queued again as it was. Those that have to be edited first stay here.</p>
        </Confirm>
      )}
      {asked === 'purge' && (
        <Confirm
          title={`Purge ${which}?`}
          action="Purge for good"
          isDanger
          onConfirm={() => void run(purgeAll)}
          onCancel={() => setAsked(undefined)}
        >
          <p>
            The letters are removed with the events in them, also those that are not loaded here. This cannot
            be undone.
          </p>
        </Confirm>
      )}
    </>
  );
}

function whichOf({ reason, eventType }: Filter): string {
  const parts = [reason, eventType].filter((part) => part !== '');
  return parts.length === 0 ? 'all' : `all ${parts.join(' ')}`;
}

interface Bulk {
  replayed?: number;
  refused?: unknown[];
  purged?: number;
  nextCursor: string | null;
}

async function replayAll(filter: Filter): Promise<Told> {
  const answers = await everyPage('/api/v1/dead-letters/replay', filter);
  const replayed = answers.reduce((sum, answer) => sum + (answer.replayed ?? 0), 0);
  const refused = answers.reduce((sum, answer) => sum + (answer.refused?.length ?? 0), 0);
  const text = `${formatCounted(replayed, 'letter')} replayed.`;
  if (refused === 0) return { tone: 'good', text };
  return {
    tone: 'warn',
    text: `${text} ${formatCounted(refused, 'letter')} must be edited first, and stayed.`,
  };
}

async function purgeAll(filter: Filter): Promise<Told> {
  const answers = await everyPage('/api/v1/dead-letters/purge', filter);
  const purged = answers.reduce((sum, answer) => sum + (answer.purged ?? 0), 0);
  return { tone: 'good', text: `${formatCounted(purged, 'letter')} purged.` };
}

/** One call takes some hundred letters and says where the next goes on. */
async function everyPage(path: string, filter: Filter): Promise<Bulk[]> {
  const answers: Bulk[] = [];
  for (let cursor: string | null | undefined; cursor !== null; cursor = answers.at(-1)?.nextCursor ?? null) {
    const body = { ...bodyOf(filter), ...(cursor && { cursor }) };
    answers.push(await callApi<Bulk>(path, { method: 'POST', body }));
  }
  return answers;
}
