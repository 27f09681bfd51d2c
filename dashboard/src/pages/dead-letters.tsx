import { useState } from 'react';
import { useLocation } from 'wouter';
import { type DeadLetterHead } from '../api-types.ts';
import { Page } from '../components/page.tsx';
import { Empty, ErrorNotice, Loaded } from '../components/states.tsx';
import { useParam } from '../paths.ts';
import { usePages } from '../use-pages.ts';
import { Letter } from './dead-letter.tsx';
import { BulkActions, type Told, ToldNotice } from './dead-letter-actions.tsx';
import { type Filter, FilterForm, queryOf } from './dead-letter-filter.tsx';
import { LetterList } from './dead-letter-list.tsx';
import './dead-letters.css';

/** What could not be stored: to look at, to mend and to send again. */
export default function DeadLetters() {
  const id = useParam('id');
  const [, navigate] = useLocation();
  const [filter, setFilter] = useState<Filter>({ reason: '', eventType: '' });
  const [told, setTold] = useState<Told>();
  const letters = usePages<DeadLetterHead>('/api/v1/dead-letters', 'deadLetters', queryOf(filter));

  /** The list is read again, and says what became of the letter that was open. */
  function finish(outcome: Told): void {
    setTold(outcome);
    letters.reload();
    if (id !== '') navigate('/dead-letters');
  }

  return (
    <Page
      title="Dead letters"
      lead="Events that were accepted and can never be stored as they are. Nothing is thrown away: mend them and send them again."
    >
      <ToldNotice told={told} />
      <FilterForm filter={filter} onChange={setFilter}>
        {letters.items.length > 0 && <BulkActions filter={filter} onDone={finish} />}
      </FilterForm>
      <Loaded resource={letters.first}>
        {() => (
          <div className="letters" data-open={id !== ''}>
            <div className="panel">
              {letters.items.length === 0 ? (
                <NoLetters filter={filter} />
              ) : (
                <LetterList letters={letters.items} openId={id} />
              )}
              {letters.error && <ErrorNotice error={letters.error} onRetry={letters.loadMore} />}
              {letters.hasMore && (
                <button
                  type="button"
                  className="button"
                  disabled={letters.isLoading}
                  onClick={letters.loadMore}
                >
                  {letters.isLoading ? 'Loading …' : 'Load older letters'}
                </button>
              )}
            </div>
            {id !== '' && <Letter key={id} id={id} onDone={finish} />}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function NoLetters({ filter }: { filter: Filter }) {
  if (queryOf(filter) !== '')
    return (
      <Empty title="No dead letter fits">
        <p>There may be others, of another reason or type.</p>
      </Empty>
    );
  return (
    <Empty title="No dead letters">
      <p>Every event that was accepted is stored, or on its way.</p>
    </Empty>
  );
}
