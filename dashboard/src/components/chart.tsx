import { lazy, Suspense, type ReactNode, useState } from 'react';
import { Icon } from './icon.tsx';
import { Panel } from './panel.tsx';
import { Table } from './table.tsx';

const Plot = lazy(() => import('./plot.tsx'));

/** The custom properties `--line-1` to `--line-4`, and the dimmed one for what is compared with. */
export type LineColor = 'line-1' | 'line-2' | 'line-3' | 'line-4' | 'line-before';

export interface Line {
  name: string;
  color: LineColor;
  /** One value a point in time; null where there is none. */
  values: readonly (number | null)[];
  isDashed?: boolean;
  /** The last value is of a time that is not over: it is drawn as what it may become. */
  isGrowing?: boolean;
}

export interface ChartProps {
  title: string;
  note?: ReactNode;
  /** Milliseconds since 1970, oldest first. */
  times: readonly number[];
  lines: readonly Line[];
  formatTime: (at: number) => string;
  formatValue: (value: number) => string;
  /** The points are whole days, which are those of UTC. */
  isDaily?: boolean;
  /** Points are added as time goes by: the axis moves with them, and is a minute long at least. */
  isRunning?: boolean;
}

/** Lines over time, and the same numbers as a table for whoever cannot or does not want to look at lines. */
export function Chart({ title, note, ...data }: ChartProps) {
  const [isTable, setTable] = useState(false);
  const [hovered, setHovered] = useState<number>();
  const toggle = (
    <button type="button" className="button quiet" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
      <Icon name="table" />
      Table
    </button>
  );
  return (
    <Panel title={title} note={note} actions={toggle}>
      {isTable ? (
        <ChartTable caption={title} {...data} />
      ) : (
        <>
          <Legend {...data} at={hovered} />
          <div
            className="plot"
            role="img"
            aria-label={`${title}, as lines. The button “Table” shows the numbers.`}
          >
            <Suspense>
              <Plot {...data} onHover={setHovered} />
            </Suspense>
          </div>
        </>
      )}
    </Panel>
  );
}

type ChartData = Omit<ChartProps, 'title' | 'note'>;

/** Which line is which, and what they say at the pointer. */
function Legend({ times, lines, formatTime, formatValue, at }: ChartData & { at: number | undefined }) {
  const time = at === undefined ? undefined : times[at];
  return (
    <ul className="legend">
      {lines.map(({ name, color, values, isDashed }) => {
        const value = at === undefined ? undefined : values[at];
        return (
          <li key={name}>
            <span className="swatch" data-color={color} data-dashed={isDashed} />
            {name}
            {typeof value === 'number' && <strong>{formatValue(value)}</strong>}
          </li>
        );
      })}
      {time !== undefined && <li className="legend-time">{formatTime(time)}</li>}
    </ul>
  );
}

function ChartTable({ caption, times, lines, formatTime, formatValue }: ChartData & { caption: string }) {
  const rows = times.map((_time, index) => index).reverse();
  return (
    <div className="chart-table">
      <Table
        caption={caption}
        rows={rows}
        keyOf={String}
        columns={[
          { name: 'Time', cell: (index) => formatTime(times[index] ?? 0) },
          ...lines.map(({ name, values }) => ({
            name,
            isNumber: true,
            cell: (index: number) => formatOrDash(values[index], formatValue),
          })),
        ]}
      />
    </div>
  );
}

function formatOrDash(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}
