import { type ReactNode } from 'react';
import { formatChange, formatCount } from '../format.ts';

export interface Bar {
  key: string;
  name: ReactNode;
  count: number;
  /** In the period before; undefined where it is not known. */
  previous: number | undefined;
}

interface BarTableProps {
  caption: string;
  /** What a row names, such as "Type". */
  of: string;
  /** The longest first. */
  bars: readonly Bar[];
}

/** A table that is its own chart: behind each name lies a bar as long as its count. */
export function BarTable({ caption, of, bars }: BarTableProps) {
  const longest = bars[0]?.count ?? 0;
  return (
    <table className="bars">
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{of}</th>
          <th scope="col" className="number">
            Events
          </th>
          <th scope="col" className="number">
            Change
          </th>
        </tr>
      </thead>
      <tbody>
        {bars.map(({ key, name, count, previous }) => (
          <tr key={key}>
            <td className="bar-cell">
              <div className="bar" style={{ inlineSize: `${(count / longest) * 100}%` }} />
              <span className="bar-name" title={typeof name === 'string' ? name : undefined}>
                {name}
              </span>
            </td>
            <td className="number">{formatCount(count)}</td>
            <td className="number">
              <Change from={previous} to={count} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** How much more or less than before. More is not always better, so that it has no colour. */
export function Change({ from, to }: { from: number | undefined; to: number }) {
  if (from === undefined) return <span className="muted">–</span>;
  if (from === 0) return <span className="muted">{to === 0 ? '–' : 'new'}</span>;
  return <span className="muted">{formatChange((to - from) / from)}</span>;
}
