import { type Random } from '../tools/random.ts';

const MINUTE_MS = 60_000;

/** A moment as some client would write it, and the moment that this text names, to the millisecond. */
export function spellMoment(random: Random, at: number): { text: string; timestamp: Date } {
  const iso = new Date(at).toISOString();
  const second = Math.floor(at / 1000) * 1000;
  const seconds = iso.slice(0, 19);
  const milliseconds = iso.slice(20, 23);
  const further = random.pick(['', '4', '49', '999999']);
  const named = (text: string, milli: number) => ({ text, timestamp: new Date(milli) });

  switch (random.integer(0, 13)) {
    case 0:
      return named(`${seconds}Z`, second);
    case 1:
      return named(seconds, second);
    case 2:
      return named(`${seconds}.${milliseconds}${further}Z`, at);
    case 3:
      return named(`${seconds},${milliseconds}${further}`, at);
    case 4:
      return named(
        `${seconds}.${milliseconds.slice(0, 1)}Z`,
        second + Number(milliseconds.slice(0, 1)) * 100,
      );
    case 5:
      return named(`${iso.slice(0, 16)}Z`, Math.floor(at / MINUTE_MS) * MINUTE_MS);
    case 6:
      return named(iso.slice(0, 10), Date.parse(iso.slice(0, 10)));
    case 7:
      return named(iso.toLowerCase(), at);
    case 8:
      return named(withOffset(at, 120, '+02:00'), at);
    case 9:
      return named(withOffset(at, -210, '-0330'), at);
    case 10:
      return named(withOffset(at, 540, '+09'), at);
    case 11:
      return named(withOffset(at, 845, '+14:05'), at);
    case 12:
      return random.pick(edges);
    default:
      return named(iso, at);
  }
}

/** The same moment on a clock that is `minutes` ahead. */
function withOffset(at: number, minutes: number, zone: string): string {
  return new Date(at + minutes * MINUTE_MS).toISOString().replace('Z', zone);
}

const edges = [
  ['1000-01-01', '1000-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999Z'],
  ['1969-12-31T23:59:59.9994Z', '1969-12-31T23:59:59.999Z'],
  ['2024-02-29T23:59:59-23:59', '2024-03-01T23:58:59.000Z'],
  ['1995-07-01T00:00:01-04:00', '1995-07-01T04:00:01.000Z'],
  ['2000-02-29', '2000-02-29T00:00:00.000Z'],
].map(([text = '', iso = '']) => ({ text, timestamp: new Date(iso) }));
