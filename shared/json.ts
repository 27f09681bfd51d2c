import { randomUUID } from 'node:crypto';

/** Marks a string that stands for a number; nobody outside of this process can write one that is taken for it. */
const MARK = `\0${randomUUID()} `;

// Where a number begins that may not be exact: sixteen digits before the point or an exponent are where whole numbers
// leave the safe range, a three-digit exponent or very many digits are where doubles end. Digits amid a string begin
// none: every fourth random UUID has three digits behind an `e`, and events with two of them took three times as long.
const SUSPECT = /[\t\n\r :,[]-?\d(?:\d{15}|[\d.]{23}|[\d.]{15,}[eE]|[\d.]*[eE][+-]?\d{3})/;
// Most texts have nothing of the kind, which is seen in a fraction of the time: no long run of digits, and none of these.
// The part that looks back keeps random UUIDs out: with it a message of a hundred events takes 7 µs, without it 44.
const EXPONENT = /\d[eE][+-]?\d{3}(?<=[\t\n\r :,[]-?[\d.]+[eE][+-]?\d{3})/;
const LONG_RUN = 16;
const IS_DIGIT_OR_POINT = new Uint8Array(256);
for (const code of Buffer.from('.0123456789')) IS_DIGIT_OR_POINT[code] = 1;
const NUMBER_BEGINS = /[-\d]/g;
const IN_NUMBER = new Set('+-.0123456789eE');

/** Printable ASCII without quotes and backslashes. */
const STANDS_AS_IT_IS = /^[ !#-[\]-~]*$/;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export interface Json {
  value: unknown;
  /** What it was parsed from, decoded. */
  text: string;
  /** No string in it is written with an escape of a code unit: all are well-formed Unicode without NUL. */
  isPlain: boolean;
}

/**
 * Parses JSON bytes without altering anything silently: bytes that are not UTF-8 throw, and a number that JSON.parse
 * would change (2^63, 1e400) becomes a marked string, which `inexactNumber` recognises and validation refuses.
 * Fractions are IEEE 754 doubles, as RFC 8259 section 6 expects. Throws SyntaxError or TypeError.
 */
export function readJson(bytes: Uint8Array): Json {
  const text = utf8.decode(bytes);
  const value: unknown = JSON.parse(text);
  // Only a text that is known to be JSON is scanned: there every string ends, and what stands before a number is known.
  if (typeof value !== 'number' && !mayBeInexact(text, bytes))
    return { value, text, isPlain: !text.includes('\\u') };
  const marked = markInexact(text);
  return { value: marked === text ? value : JSON.parse(marked), text, isPlain: false };
}

/** The value that `readJson` gives. */
export function parseJson(bytes: Uint8Array): unknown {
  return readJson(bytes).value;
}

function mayBeInexact(text: string, bytes: Uint8Array): boolean {
  return (EXPONENT.test(text) || hasLongRun(bytes)) && SUSPECT.test(text);
}

/** Whether `LONG_RUN` digits and points stand side by side: any such run has one of them where such a stride ends. */
function hasLongRun(bytes: Uint8Array): boolean {
  for (let at = LONG_RUN - 1; at < bytes.length; at += LONG_RUN) {
    if (IS_DIGIT_OR_POINT[bytes[at]!] === 0) continue;
    let [begin, end] = [at, at + 1];
    while (begin > at + 1 - LONG_RUN && IS_DIGIT_OR_POINT[bytes[begin - 1]!] === 1) begin -= 1;
    while (end < bytes.length && end < begin + LONG_RUN && IS_DIGIT_OR_POINT[bytes[end]!] === 1) end += 1;
    if (end - begin === LONG_RUN) return true;
  }
  return false;
}

/** The literal that a marked string stands for; undefined for every other string. */
export function inexactNumber(text: string): string | undefined {
  return text.startsWith(MARK) ? text.slice(MARK.length) : undefined;
}

/** As JSON.stringify, which takes three times as long for a short text in which nothing has to be escaped. */
export function quote(text: string | null): string {
  return text !== null && STANDS_AS_IT_IS.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The bytes of each item of a JSON array, as they are written; `parseJson` has taken the text before. */
export function itemsOfArray(bytes: Buffer): Buffer[] {
  const items: Buffer[] = [];
  let begin = bytes.indexOf('[') + 1;
  let depth = 0;
  for (let at = begin; depth >= 0 && at < bytes.length; at += 1) {
    const char = String.fromCharCode(bytes[at] ?? 0);
    if (char === '"') at = endOfString(bytes, at);
    else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth -= 1;
    if (depth < 0 || (depth === 0 && char === ',')) {
      items.push(bytes.subarray(begin, at));
      begin = at + 1;
    }
  }
  return items;
}

/** Where the quote stands that ends the string which begins here. */
function endOfString(bytes: Buffer, begin: number): number {
  let at = begin + 1;
  while (bytes[at] !== 0x22 && at < bytes.length) at += bytes[at] === 0x5c ? 2 : 1;
  return at;
}

/**
 * The JSON text with a marked string in place of every number that is not exact. The text is taken apart at its quotes,
 * because one regular expression for strings with escapes overflows the stack on some megabytes of them.
 */
function markInexact(text: string): string {
  let inString = false;
  const parts = text.split('"').map((part) => {
    if (inString) {
      inString = endsInEscape(part);
      return part;
    }
    inString = true;
    return markNumbers(part);
  });
  return parts.join('"');
}

/** A loop, since a regular expression may keep a place to come back to for each digit, and there may be megabytes of them. */
function markNumbers(part: string): string {
  const marked: string[] = [];
  let end = 0;
  for (;;) {
    NUMBER_BEGINS.lastIndex = end;
    const begin = NUMBER_BEGINS.exec(part)?.index;
    if (begin === undefined) return marked.join('') + part.slice(end);
    marked.push(part.slice(end, begin));
    end = begin + 1;
    while (IN_NUMBER.has(part.charAt(end))) end += 1;
    const literal = part.slice(begin, end);
    marked.push(isExact(literal) ? literal : JSON.stringify(MARK + literal));
  }
}

/** Whether a quote behind this part of a string belongs to the string. */
function endsInEscape(part: string): boolean {
  let backslashes = 0;
  while (part[part.length - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

function isExact(literal: string): boolean {
  const number = Number(literal);
  if (!Number.isFinite(number)) return false;
  const [digits, exponent] = decimal(literal);
  if (digits === '') return true;
  // Of a whole number every digit counts, however it is written: 2^63 is a double, but one that JSON.stringify writes
  // as 9223372036854776000.
  if (exponent >= 0) return decimal(String(number)).join() === `${digits},${exponent}`;
  return number !== 0;
}

/** A literal's digits without zeros at either end, and the power of ten that the last of them stands for. */
function decimal(literal: string): [digits: string, exponent: number] {
  const [mantissa = '', power = '0'] = literal.replace(/^-/, '').toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = whole + fraction;
  let [begin, end] = [0, all.length];
  while (all[end - 1] === '0') end -= 1;
  while (all[begin] === '0' && begin < end) begin += 1;
  return [all.slice(begin, end), Number(power) + whole.length - end];
}
