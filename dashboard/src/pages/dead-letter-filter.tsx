import { type ReactNode, useId } from 'react';
import { deadLetterReasons } from '../api-types.ts';

/** Empty texts are no filter. */
export interface Filter {
  reason: string;
  eventType: string;
}

interface FilterFormProps {
  filter: Filter;
  onChange: (filter: Filter) => void;
  /** What is done to the letters that fit. */
  children: ReactNode;
}

export function FilterForm({ filter, onChange, children }: FilterFormProps) {
  const types = useId();
  return (
    <div className="letter-filter">
      <label className="field">
        Reason
        <select
          value={filter.reason}
          onChange={(event) => onChange({ ...filter, reason: event.target.value })}
        >
          <option value="">all reasons</option>
          {deadLetterReasons.map((reason) => (
            <option key={reason}>{reason}</option>
          ))}
        </select>
      </label>
      <label className="field" htmlFor={types}>
        Event type
        <input
          id={types}
          type="search"
          placeholder="all types"
          autoComplete="off"
          value={filter.eventType}
          onChange={(event) => onChange({ ...filter, eventType: event.target.value })}
        />
      </label>
      <div className="buttons">{children}</div>
    </div>
  );
}

/** As the API takes it: the fields that are set, or that all letters are meant. */
export function bodyOf(filter: Filter): Record<string, string | boolean> {
  const set = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''));
  return Object.keys(set).length > 0 ? set : { all: true };
}

export function queryOf(filter: Filter): string {
  const set = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== ''));
  return set.size > 0 ? `?${set.toString()}` : '';
}
