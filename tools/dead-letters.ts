/**
 * npm run dead-letters: what people do with dead letters, from a terminal. A client of the API, and of nothing else.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type BulkPurge, type BulkReplay } from '../api/services/dead-letters.ts';
import { type DeadLetterHead } from '../consumer/store/store.ts';
import { type FieldError } from '@event-tracker/shared/errors';

const usage = `npm run dead-letters -- list [FILTER] [--limit N]         newest first, 50 without --limit
npm run dead-letters -- show ID                           with the bytes of its event
npm run dead-letters -- replay ID [--event FILE]          queues its event, or the edited one in FILE, again
npm run dead-letters -- replay FILTER | --all             ... of many
npm run dead-letters -- purge ID | FILTER | --all         removes them for good

FILTER is one or more of --reason REASON, --event-type TYPE, --from TIME and --to TIME (of death).
API_URL is where the API is, http://localhost:3000 by default; ADMIN_KEY is its admin key.`;

/** A mistake of the caller or an answer of the API, told in one line. */
class Failure extends Error {
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}

const misuse = (message: string) => new Failure(`${message}\n\n${usage}`, 2);

/** What travels as JSON: dates as text. */
type Shown<T> = { [K in keyof T]: T[K] extends Date ? string : T[K] };
type Bulk = Partial<Omit<BulkReplay & BulkPurge, 'next'>> & { nextCursor: string | null };

const options = {
  reason: { type: 'string' },
  'event-type': { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  limit: { type: 'string' },
  event: { type: 'string' },
  all: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parse(args);
  const [verb, id, ...rest] = positionals;
  if (values.help || verb === undefined) return print(usage);
  if (rest.length > 0) throw misuse(`one ID at most: ${rest.join(' ')}`);
  const allowed: Record<string, (keyof Values)[]> = {
    list: id === undefined ? ['reason', 'event-type', 'from', 'to', 'limit'] : [],
    show: [],
    replay: id === undefined ? ['reason', 'event-type', 'from', 'to', 'all'] : ['event'],
    purge: id === undefined ? ['reason', 'event-type', 'from', 'to', 'all'] : [],
  };
  const known = allowed[verb];
  if (!known || (verb === 'list' && id !== undefined))
    throw misuse(`there is no ${[verb, id].join(' ')}`.trim());
  const foreign = (Object.keys(values) as (keyof Values)[]).find((name) => !known.includes(name));
  if (foreign) throw misuse(`${[verb, id].filter(Boolean).join(' ')} takes no --${foreign}`);

  if (verb === 'list') return list(values);
  if (verb === 'show') return show(id);
  if (id === undefined) return bulk(verb as 'replay' | 'purge', values);
  return verb === 'replay' ? replay(id, values.event) : purge(id);
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw misuse((error as Error).message);
  }
}

function filterOf(values: Values) {
  const { reason, 'event-type': eventType, from, to } = values;
  const given = Object.entries({ reason, eventType, from, to }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string>;
}

async function list(values: Values): Promise<void> {
  const query = new URLSearchParams({ ...filterOf(values), ...(values.limit && { limit: values.limit }) });
  const page = await call<{ deadLetters: Shown<DeadLetterHead>[]; nextCursor: string | null }>(
    'GET',
    `?${query.toString()}`,
  );
  if (page.deadLetters.length === 0) return print('There are no dead letters, or none that fit.');
  const rows = page.deadLetters.map((letter) => [
    letter.diedAt,
    letter.reason,
    letter.eventType ?? '-',
    letter.eventId ?? '-',
    letter.id,
    letter.error,
  ]);
  print(table([['DIED AT', 'REASON', 'EVENT TYPE', 'EVENT ID', 'ID', 'ERROR'], ...rows]));
  if (page.nextCursor) print(`There are more: --limit up to 500, or --to ${page.deadLetters.at(-1)?.diedAt}`);
}

async function show(id: string | undefined): Promise<void> {
  if (id === undefined) throw misuse('show needs an ID');
  const letter = await call<Shown<DeadLetterHead> & { body: string | null; bodyBase64: string | null }>(
    'GET',
    `/${encodeURIComponent(id)}`,
  );
  const { body, bodyBase64, details, ...rest } = letter;
  const rows = Object.entries(rest).map(([name, value]) => [name, String(value ?? '-')]);
  print(table(rows));
  for (const fault of details) print(`  ${faultText(fault)}`);
  print(body === null ? `\nThe body is not UTF-8; as Base64:\n${bodyBase64}` : `\n${body}`);
}

async function replay(id: string, file: string | undefined): Promise<void> {
  const edited = file === undefined ? undefined : await readFile(file).catch(unreadable);
  const path = `/${encodeURIComponent(id)}/replay`;
  const { eventIds } = await call<{ eventIds: string[] }>('POST', path, edited);
  print(`replayed: ${eventIds.length === 1 ? `event ${eventIds.join()}` : `${eventIds.length} events`}`);
}

function unreadable(error: Error): never {
  throw new Failure(error.message, 2);
}

async function purge(id: string): Promise<void> {
  await call('DELETE', `/${encodeURIComponent(id)}`);
  print('purged');
}

/** Call after call until nothing is left that fits, with a line of progress for each. */
async function bulk(verb: 'replay' | 'purge', values: Values): Promise<void> {
  const filter = { ...filterOf(values), ...(values.all && { all: true }) };
  if (Object.keys(filter).length === 0) throw misuse(`${verb} needs an ID, a FILTER, or --all`);
  let done = 0;
  let refused = 0;
  let cursor: string | null = null;
  do {
    const body = JSON.stringify({ ...filter, ...(cursor !== null && { cursor }) });
    const result: Bulk = await call<Bulk>('POST', `/${verb}`, Buffer.from(body));
    done += result.replayed ?? result.purged ?? 0;
    for (const { id, details } of result.refused ?? []) {
      refused += 1;
      print(`refused: ${id}: ${details.map(faultText).join('; ')}`);
    }
    cursor = result.nextCursor;
    if (cursor !== null)
      process.stderr.write(`${verb === 'replay' ? 'replayed' : 'purged'} ${done} so far\n`);
  } while (cursor !== null);
  print(verb === 'purge' ? `purged: ${done}` : `replayed: ${done}, refused: ${refused}`);
  if (refused > 0) throw new Failure('what was refused needs an edited event: replay ID --event FILE');
}

/** Calls the API; throws a Failure that says in one line what is wrong. */
async function call<T>(method: string, path: string, body?: Buffer): Promise<T> {
  const { API_URL, ADMIN_KEY } = process.env;
  const base = (API_URL || 'http://localhost:3000').replace(/\/$/, '');
  if (!URL.canParse(base)) throw new Failure(`API_URL is not a URL: ${base}`, 2);
  const headers = {
    ...(ADMIN_KEY && { Authorization: `Bearer ${ADMIN_KEY}` }),
    ...(body && { 'Content-Type': 'application/json' }),
  };
  const init = { method, headers, ...(body && { body: new Uint8Array(body) }) };
  const response = await fetch(`${base}/api/v1/dead-letters${path}`, init).catch(() => {
    throw new Failure(`the API does not answer at ${base}; set API_URL to where it is`);
  });
  const text = await response.text();
  if (!response.ok) throw new Failure(problemText(response.status, text));
  return (text === '' ? {} : JSON.parse(text)) as T;
}

function problemText(status: number, text: string): string {
  try {
    const { title, detail, details } = JSON.parse(text) as Record<'title' | 'detail', string> & {
      details: FieldError[];
    };
    return [`${status} ${title}. ${detail}`, ...details.map(faultText)].join('; ');
  } catch {
    return `${status}, and not an answer of Event Tracker; is API_URL right?`;
  }
}

function faultText({ field, message }: FieldError): string {
  return `${field || 'it'} ${message}`;
}

function table(rows: string[][]): string {
  const widths =
    rows[0]?.map((_cell, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`dead-letters: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof Failure ? error.code : 1;
});
