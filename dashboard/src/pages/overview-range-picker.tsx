import { type SubmitEvent, useState } from 'react';
import { daysOf, type Preset, presets, type Range } from './overview-range.ts';

interface RangePickerProps {
  range: Range;
  onChoose: (next: Preset | { from: string; to: string }) => void;
}

export function RangePicker({ range, onChoose }: RangePickerProps) {
  const [isCustom, setCustom] = useState(range.preset === undefined);
  const choose = (preset: Preset) => {
    setCustom(false);
    onChoose(preset);
  };
  return (
    <div className="range-picker">
      <div className="segments" role="group" aria-label="Period">
        {(Object.keys(presets) as Preset[]).map((preset) => (
          <button
            key={preset}
            type="button"
            className="button"
            aria-pressed={!isCustom && range.preset === preset}
            onClick={() => choose(preset)}
          >
            {presets[preset].name}
          </button>
        ))}
        <button type="button" className="button" aria-pressed={isCustom} onClick={() => setCustom(true)}>
          Custom
        </button>
      </div>
      {isCustom && <Days range={range} onChoose={onChoose} />}
    </div>
  );
}

function Days({ range, onChoose }: RangePickerProps) {
  const [days, setDays] = useState(() => daysOf(range));
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onChoose(days);
  };
  return (
    <form className="range-days" onSubmit={submit}>
      <label>
        From{' '}
        <input
          type="date"
          required
          max={days.to}
          value={days.from}
          onChange={(event) => setDays({ ...days, from: event.target.value })}
        />
      </label>
      <label>
        to{' '}
        <input
          type="date"
          required
          min={days.from}
          value={days.to}
          onChange={(event) => setDays({ ...days, to: event.target.value })}
        />
      </label>
      <button type="submit" className="button">
        Show
      </button>
    </form>
  );
}
