import './json-text.css';

/** Names, texts, numbers and words of JSON as JSON.stringify writes it; what is between them stays plain. */
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;

interface JsonTextProps {
  value: unknown;
  /** Says what it is to a screen reader. */
  label: string;
}

/** A value as JSON in colours. Whatever is in it stays text. */
export function JsonText({ value, label }: JsonTextProps) {
  const text = JSON.stringify(value, null, 2) ?? '';
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [all, quoted, colon, number] = match;
    const kind = quoted === undefined ? (number === undefined ? 'word' : 'number') : colon ? 'name' : 'text';
    parts.push(text.slice(end, match.index));
    parts.push(
      <span key={match.index} data-json={kind}>
        {all}
      </span>,
    );
    end = match.index + all.length;
  }
  parts.push(text.slice(end));
  return (
    <pre className="json" role="region" aria-label={label} tabIndex={0}>
      {parts}
    </pre>
  );
}
