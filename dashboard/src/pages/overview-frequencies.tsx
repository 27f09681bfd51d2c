import { useState } from 'react';
import { Link } from 'wouter';
import { type Bar, BarTable } from '../components/bar-table.tsx';
import { Panel } from '../components/panel.tsx';
import { Empty } from '../components/states.tsx';
import { formatCount } from '../format.ts';

/** As many are shown before somebody asks for all. */
const SHOWN_AT_FIRST = 8;
/** The API lists no more; what it does not list then may still have been there. */
const LISTED_MAX = 50;

interface Frequency {
  name: string;
  count: number;
}

interface FrequenciesProps {
  title: string;
  of: string;
  /** The most frequent first. */
  rows: readonly Frequency[];
  before: readonly Frequency[];
  /** Where a name leads to. */
  hrefOf?: (name: string) => string;
}

/** What came how often, beside how often it came in the period before. */
export function Frequencies({ title, of, rows, before, hrefOf }: FrequenciesProps) {
  const [isWhole, setWhole] = useState(false);
  const countsBefore = new Map(before.map(({ name, count }) => [name, count]));
  const bars = rows.map(({ name, count }): Bar => {
    const shown = name === '' ? '(empty)' : name;
    return {
      key: name,
      name: hrefOf ? <Link href={hrefOf(name)}>{shown}</Link> : shown,
      count,
      previous: countsBefore.get(name) ?? (before.length < LISTED_MAX ? 0 : undefined),
    };
  });
  return (
    <Panel title={title}>
      {bars.length === 0 ? (
        <Empty title="None in this time" />
      ) : (
        <BarTable caption={title} of={of} bars={isWhole ? bars : bars.slice(0, SHOWN_AT_FIRST)} />
      )}
      {bars.length > SHOWN_AT_FIRST && (
        <button
          type="button"
          className="button quiet"
          aria-expanded={isWhole}
          onClick={() => setWhole(!isWhole)}
        >
          {isWhole ? `Show the first ${SHOWN_AT_FIRST}` : `Show all ${formatCount(bars.length)}`}
        </button>
      )}
    </Panel>
  );
}
