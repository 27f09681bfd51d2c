/** Marks a string that stands for a number; a NUL is refused everywhere, so no good event holds one. */
const MARK = '\0';

// Sixteen digits are where whole numbers leave the safe range, a three-digit exponent is where doubles end.
const SUSPECT = /\d{16}|[eE][+-]?\d{3}/;
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses JSON bytes without altering anything silently: bytes that are not UTF-8 throw, and a number that JSON.parse
 * would change (2^63, 1e400) becomes a marked string, which `inexactNumber` recognises and validation refuses.
 * Fractions are IEEE 754 doubles, as RFC 8259 section 6 expects. Throws SyntaxError or TypeError.
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = utf8.decode(bytes);
  const value: unknown = JSON.parse(text);
  // Only a text that is known to be JSON is scanned: there every string ends, so the scan takes linear time.
  return SUSPECT.test(text) ? JSON.parse(text.replace(STRING_OR_NUMBER, markInexact)) : value;
}

/** The literal that a marked string stands for; undefined for every other string. */
export function inexactNumber(text: string): string | undefined {
  return text.startsWith(MARK) && isNumber(text.slice(1)) ? text.slice(1) : undefined;
}

/** The JSON text of a value that came from `parseJson`, with its marked numbers written as they were. */
export function stringifyJson(value: unknown): string {
  return JSON.stringify(value).replace(/"\\u0000(-?[\d.eE+-]+)"/g, '$1');
}

function markInexact(token: string): string {
  return token.startsWith('"') || isExact(token) ? token : JSON.stringify(MARK + token);
}

function isExact(literal: string): boolean {
  const number = Number(literal);
  if (!Number.isFinite(number)) return false;
  // Of a whole number every digit counts: 2^63 is a double, but one that is written as 9223372036854776000.
  if (/^-?\d+$/.test(literal)) return String(number) === literal || literal === '-0';
  return number !== 0 || !/[1-9]/.test(literal.replace(/[eE].*/, ''));
}

function isNumber(text: string): boolean {
  return /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text);
}
