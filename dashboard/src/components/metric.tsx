import { type ReactNode } from 'react';

interface MetricProps {
  name: string;
  value: ReactNode;
  /** What it is compared with, or where it comes from. */
  note?: ReactNode;
  tone?: 'good' | 'warn' | 'bad';
}

/** A big number with its name. Several of them stand in a `<dl className="metrics">`. */
export function Metric({ name, value, note, tone }: MetricProps) {
  return (
    <div className="metric" data-tone={tone}>
      <dt>{name}</dt>
      <dd className="metric-value">{value}</dd>
      {note !== undefined && <dd className="metric-note">{note}</dd>}
    </div>
  );
}
