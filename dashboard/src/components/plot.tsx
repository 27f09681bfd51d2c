import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatShort } from '../format.ts';
import { type ChartProps, type Line } from './chart.tsx';

const HEIGHT_PX = 220;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

type PlotProps = Pick<ChartProps, 'times' | 'lines' | 'isDaily' | 'isRunning'> & {
  onHover: (index: number | undefined) => void;
};

/** The lines on a canvas, drawn by uPlot, in the colours of the page. Loaded by the first chart that is shown. */
export default function Plot({ times, lines, isDaily = false, isRunning = false, onHover }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const isDark = useIsDark();
  const strokes = lines.flatMap(strokesOf);
  const data: uPlot.AlignedData = [[...times], ...strokes.map(({ values }) => [...values])];
  const newest = useRef(data);
  useEffect(() => {
    newest.current = data;
    plot.current?.setData(data);
  });

  // What a line looks like, in one text: only another look is a reason to begin anew.
  const look = strokes.map(({ name, color, isDashed }) => `${name} ${color} ${isDashed}`).join();
  const looks = useRef(strokes);
  looks.current = strokes;
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const options = optionsFor(element, looks.current, { isDaily, isRunning, onHover });
    const drawn = new uPlot(options, newest.current, element);
    plot.current = drawn;
    const observer = new ResizeObserver(() =>
      drawn.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [look, isDark, isDaily, isRunning, onHover]);

  return <div ref={box} className="plot-canvas" />;
}

/** A line that still grows is drawn in two parts: what is certain, and the way to its last value. */
function strokesOf(line: Line): Line[] {
  if (!line.isGrowing) return [line];
  const last = line.values.length - 1;
  return [
    { ...line, values: line.values.map((value, index) => (index < last ? value : null)) },
    { ...line, values: line.values.map((value, index) => (index < last - 1 ? null : value)), isDashed: true },
  ];
}

function optionsFor(
  element: HTMLElement,
  lines: readonly Line[],
  { isDaily, isRunning, onHover }: Pick<Required<PlotProps>, 'isDaily' | 'isRunning' | 'onHover'>,
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: color('muted'), font: `12px ${style.fontFamily}`, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    ms: 1,
    // Days are those of UTC, hours and shorter those of the reader.
    tzDate: (at) => (isDaily ? uPlot.tzDate(new Date(at), 'Etc/UTC') : new Date(at)),
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { range: (_plot, min, max) => [isRunning ? Math.min(min, max - MINUTE_MS) : min, max] },
      y: { range: ({ data }, _min, max) => [0, topOf(data, max)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: 72,
        values: (_plot, splits) => splits.map(timeLabels(isDaily)),
      },
      {
        ...axis,
        grid: { stroke: color('border'), width: 1 },
        size: 46,
        space: 40,
        values: (_plot, splits) => splits.map(formatShort),
      },
    ],
    series: [
      {},
      ...lines.map(({ color: name, isDashed = false }, index) => ({
        stroke: color(name),
        width: isDashed ? 1.5 : 2,
        // Two values make a line; one alone would not be seen.
        points: { show: (plot: uPlot, index: number) => countOf(plot.data[index]) === 1 },
        ...(isDashed ? { dash: [4, 4] } : {}),
        ...(index === 0 && !isDashed ? { fill: color(`${name}-fill`) } : {}),
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onHover(cursor.idx ?? undefined)] },
  };
}

/** Where whole things are counted, the axis has no marks between them. */
function topOf([, ...lines]: uPlot.AlignedData, max: number): number {
  const areWhole = lines.every((values) => Array.from(values).every((value) => Number.isInteger(value ?? 0)));
  return Math.max(max * 1.08, areWhole ? 4 : 0) || 1;
}

function countOf(values: ArrayLike<number | null | undefined> | undefined): number {
  return Array.from(values ?? []).filter((value) => typeof value === 'number').length;
}

/** The time, or the day where one begins. */
function timeLabels(isDaily: boolean): (at: number, index: number, all: number[]) => string {
  const zone = isDaily ? { timeZone: 'UTC' } : {};
  const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', ...zone });
  const time = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
  const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });
  return (at, _index, all) => {
    const stepMs = (all[1] ?? Infinity) - (all[0] ?? 0);
    const date = new Date(at);
    if (
      isDaily ||
      stepMs >= DAY_MS ||
      (date.getHours() === 0 && date.getMinutes() === 0 && stepMs >= MINUTE_MS)
    )
      return day.format(at);
    return stepMs < MINUTE_MS ? seconds.format(at) : time.format(at);
  };
}

function useIsDark(): boolean {
  const [isDark, setDark] = useState(() => darkScheme.matches);
  useEffect(() => {
    const update = () => setDark(darkScheme.matches);
    darkScheme.addEventListener('change', update);
    return () => darkScheme.removeEventListener('change', update);
  }, []);
  return isDark;
}

const darkScheme = matchMedia('(prefers-color-scheme: dark)');
