import { type FieldError } from './errors.ts';
import { inexactNumber } from './json.ts';

/** Deepest nesting of a payload. MySQL stops at 100 levels and BSON at about 180. */
export const PAYLOAD_DEPTH_MAX = 64;
/** At most so many faults are named for one event. */
export const FAULTS_MAX = 20;

// bson reads `_bsontype` as the mark of a BSON value; assigning `__proto__` changes an object's prototype.
const FORBIDDEN_KEYS = new Set(['_bsontype', '__proto__']);

/**
 * What in a JSON value some store would refuse or silently alter: NUL and lone surrogates in strings and keys,
 * keys with a meaning of their own, numbers that JSON.parse would change, nesting past `PAYLOAD_DEPTH_MAX`.
 * The same list holds for every store, so that an event is good or bad wherever it goes.
 */
export function findUnstorable(value: unknown): FieldError[] {
  const faults: FieldError[] = [];
  visit(value, [], faults);
  return faults;
}

function visit(value: unknown, path: string[], faults: FieldError[]): void {
  if (faults.length >= FAULTS_MAX) return;
  if (typeof value === 'string') {
    const message = textFault(value);
    if (message) faults.push({ field: path.join('.'), message });
  } else if (typeof value === 'object' && value !== null) {
    if (path.length >= PAYLOAD_DEPTH_MAX) {
      faults.push({ field: path.join('.'), message: `is nested deeper than ${PAYLOAD_DEPTH_MAX} levels` });
      return;
    }
    if ('$ref' in value && '$id' in value) {
      // MongoDB's drivers read such an object as a reference to another document, and give it back in another form.
      faults.push({
        field: path.join('.'),
        message: 'must not have keys named $ref and $id beside each other',
      });
      return;
    }
    for (const [key, child] of Object.entries(value)) {
      const message = FORBIDDEN_KEYS.has(key) ? `must not have a key named ${key}` : textFault(key);
      if (message) faults.push({ field: path.join('.'), message });
      else visit(child, [...path, key], faults);
    }
  }
}

function textFault(text: string): string | undefined {
  const literal = inexactNumber(text);
  if (literal !== undefined) return `the number ${literal} cannot be kept exactly; send it as a string`;
  if (text.includes('\0')) return 'must not contain the NUL character (U+0000)';
  if (!text.isWellFormed()) return 'must be well-formed Unicode, without lone surrogates';
  return undefined;
}
