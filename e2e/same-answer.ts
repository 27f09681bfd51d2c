import { isIP } from 'node:net';
import { type Message, readMessages } from '../api/tests/stream-client.ts';
import { UUID_V7 } from './ledger.ts';
import { type ShownAnswer } from './markdown.ts';

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isIsoDate = (value: unknown) => isText(value) && new Date(String(value)).toISOString() === value;

/** Values that are others at each run, by their key; every other value has to be the one that the example shows. */
const kinds: Record<string, (value: unknown) => boolean> = {
  receivedAt: isIsoDate,
  processedAt: isIsoDate,
  diedAt: isIsoDate,
  worker: isText,
  requestId: (value) => UUID_V7.test(String(value)),
  ip: (value) => isIP(String(value)) > 0,
  userAgent: (value) => /^curl\/\d/.test(String(value)),
};

/**
 * What in an answer is not as the example shows it. Headers that the example leaves out may be there; the body has to
 * have all keys and no others. Three exceptions: `{"code": ".."}` alone stands for the whole problem document of that
 * code, the numbers of the pipeline only have to add up, and of a minute that has begun, shown as 60 seconds, any number of seconds may be left.
 */
export function differences(shown: ShownAnswer, given: ShownAnswer): string[] {
  const wrong = Object.entries(shown.headers)
    .filter(([name, value]) => !isSameHeader(value, given.headers[name]))
    .map(([name, value]) => `${name} is ${given.headers[name] ?? 'missing'}, not ${value}`);
  if (shown.statusLine !== given.statusLine) wrong.unshift(`${given.statusLine}, not ${shown.statusLine}`);
  if (shown.body === '') return wrong;
  if (shown.headers['content-type'] === 'text/event-stream') {
    return [...wrong, ...bodyFaults(messagesOf(shown), messagesOf(given), '')];
  }
  const shownBody = JSON.parse(shown.body) as Record<string, unknown>;
  const givenBody = JSON.parse(given.body || 'null') as Record<string, unknown>;
  if ('settled' in shownBody) return [...wrong, ...sumFaults(shownBody, givenBody)];
  const isProblem = Object.keys(shownBody).join() === 'code';
  return [
    ...wrong,
    ...(isProblem ? problemFaults(shownBody.code, given) : bodyFaults(shownBody, givenBody, '')),
  ];
}

function isSameHeader(shown: string, given = ''): boolean {
  const secondsLeft = /^60$|(?<=\bt=)60$/;
  if (!secondsLeft.test(shown)) return shown === given;
  const [seconds = ''] = /\d+$/.exec(given) ?? [];
  return shown.replace(secondsLeft, seconds) === given && Number(seconds) >= 1 && Number(seconds) <= 60;
}

/** The messages of a stream; their ids are opaque, and others at each run. */
function messagesOf({ body }: ShownAnswer): Message[] {
  return readMessages(`${body}\n\n`).map(({ id, ...rest }) => (id ? { ...rest, id: 'an id' } : rest));
}

function problemFaults(code: unknown, { statusLine, headers, body }: ShownAnswer): string[] {
  const problem = JSON.parse(body) as Record<string, unknown>;
  const { type, title, status, detail, details, requestId, ...rest } = problem;
  const checks: Record<string, boolean> = {
    'content-type': headers['content-type'] === 'application/problem+json; charset=utf-8',
    code: rest.code === code && Object.keys(rest).length === 1,
    type: type === `urn:event-tracker:problem:${String(code)}`,
    title: isText(title),
    status: statusLine.startsWith(`HTTP/1.1 ${String(status)} `),
    detail: isText(detail),
    details: Array.isArray(details),
    requestId: requestId === headers['x-request-id'] && UUID_V7.test(String(requestId)),
  };
  return Object.keys(checks)
    .filter((name) => !checks[name])
    .map((name) => `${name} of the problem is wrong: ${body}`);
}

function bodyFaults(shown: unknown, given: unknown, path: string): string[] {
  const key = path.split('.').at(-1) ?? '';
  const kind = kinds[key];
  // An id that the example chooses itself has to come back; one that the API makes is another each time.
  const isFree = kind ? kind(given) : UUID_V7.test(String(shown)) && UUID_V7.test(String(given));
  if (isFree || Object.is(shown, given)) return [];
  if (!isObject(shown) || !isObject(given) || Array.isArray(shown) !== Array.isArray(given)) {
    return [`${path || 'the body'} is ${JSON.stringify(given)}, not ${JSON.stringify(shown)}`];
  }
  const names = new Set([...Object.keys(shown), ...Object.keys(given)]);
  return [...names].flatMap((name) => {
    const place = path ? `${path}.${name}` : name;
    if (!(name in shown)) return [`${place} is not in the example`];
    return bodyFaults(shown[name], given[name], place);
  });
}

/** Every object has the keys of the one shown, each process those of the one shown of its service; and the sum is true. */
function sumFaults(shown: Record<string, unknown>, given: Record<string, unknown>): string[] {
  const processesOf = (body: Record<string, unknown>) => body.processes as Record<string, unknown>[];
  const shownOf = (service: unknown) => processesOf(shown).find((one) => one.service === service) ?? {};
  const keys = (value: unknown): unknown =>
    isObject(value) ? Object.entries(value).map(([name, one]) => [name, keys(one)]) : typeof (value ?? 0);
  const isSame = (one: unknown, other: unknown) => JSON.stringify(keys(one)) === JSON.stringify(keys(other));
  const numberOf = (name: string) => Number(given[name] ?? 0);
  const parts = ['stored', 'duplicate', 'dead', 'inFlight', 'difference'].map(numberOf);
  const checks: Record<string, boolean> = {
    keys: isSame({ ...shown, processes: [] }, { ...given, processes: [] }),
    processes:
      processesOf(given).length > 1 && processesOf(given).every((one) => isSame(shownOf(one.service), one)),
    sum: numberOf('accepted') === parts.reduce((sum, part) => sum + part, 0) && numberOf('accepted') > 0,
  };
  return Object.keys(checks)
    .filter((name) => !checks[name])
    .map((name) => `${name} of the pipeline: ${JSON.stringify(given)}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
