import { type ReactNode, useId } from 'react';
import { type FieldError } from '../api.ts';

interface SendFieldProps {
  name: string;
  label: string;
  hint: string;
  value: string;
  errors: readonly FieldError[];
  onChange: (value: string) => void;
  /** Of text over several lines. */
  rows?: number;
  action?: ReactNode;
}

/** A field with what is wrong in it, said by sight and by screen reader alike. */
export function SendField({ name, label, hint, value, errors, onChange, rows, action }: SendFieldProps) {
  const id = useId();
  const props = {
    ...{ id, name, value, spellCheck: false, autoComplete: 'off' },
    'aria-invalid': errors.length > 0,
    'aria-describedby': `${id}-hint ${id}-errors`,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="send-input">
        {rows === undefined ? <input type="text" {...props} /> : <textarea rows={rows} {...props} />}
        {action}
      </div>
      <p id={`${id}-hint`} className="muted field-hint">
        {hint}
      </p>
      <div id={`${id}-errors`}>
        {errors.map(({ field, message }) => (
          <p key={`${field} ${message}`} className="field-error">
            {field === name ? label : <code>{field}</code>} {message}
          </p>
        ))}
      </div>
    </div>
  );
}
