import { type ReactNode } from 'react';
import { formatCount } from '../format.ts';
import { Change } from './change.tsx';

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
            <td className="number muted">
              <Change from={previous} to={count} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
