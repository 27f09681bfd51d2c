import { useMemo } from 'react';
import { type Overview } from '../api-types.ts';
import { Chart } from '../components/chart.tsx';
import { formatCount, formatHour, formatUtcDay } from '../format.ts';

interface TrendProps {
  title: string;
  of: 'count' | 'users';
  overview: Overview;
}

/** One number over the period, above the same of the period before: bucket for bucket. */
export function Trend({ title, of, overview }: TrendProps) {
  const { series, previous, interval } = overview;
  const isDaily = interval === 'day';
  const isGrowing = Date.parse(overview.to) > Date.now();
  const data = useMemo(
    () => ({
      times: series.map(({ start }) => Date.parse(start)),
      lines: [
        {
          name: 'This period',
          color: 'line-1' as const,
          values: series.map((bucket) => bucket[of]),
          isGrowing,
        },
        {
          name: 'The one before',
          color: 'line-before' as const,
          values: series.map((_bucket, index) => previous.series[index]?.[of] ?? null),
          isDashed: true,
        },
      ],
    }),
    [series, previous, of, isGrowing],
  );
  return (
    <Chart
      title={title}
      note={isDaily ? 'Each day (UTC)' : 'Each hour'}
      formatTime={isDaily ? formatUtcDay : formatHour}
      formatValue={formatCount}
      isDaily={isDaily}
      {...data}
    />
  );
}
