import { Agent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type StoreReader } from '../tools/pairs.ts';
import { describeMismatch } from './stored.ts';
import { type GoodEvent, type PlannedRequest } from './plan.ts';
import { type ExpectedActivity } from './web-log.ts';

/** What a 202 promised: this id stands for this event. An id that was sent again has several answers. */
export interface Promised {
  expected: ExpectedActivity;
  answers: { requestId: string; userAgent: string | null }[];
}

export interface Ledger {
  startedAt: Date;
  sent: number;
  refused: number;
  accepted: number;
  promised: Map<string, Promised>;
  /** Answers and documents that are not what they have to be. */
  wrong: string[];
}

/** Counts of events and documents; `wrong` says what is behind those that are not as they have to be. */
export interface Summary {
  sent: number;
  accepted: number;
  refused: number;
  /** Accepted events whose id had been accepted before. */
  repeated: number;
  stored: number;
  doubled: number;
  missing: number;
  foreign: number;
  deadLetters: number;
  wrong: string[];
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

/** Without news from the store for this long, what is missing does not come any more. */
const STALL_MS = 45_000;
const WRONG_SHOWN_MAX = 10;

export function openLedger(): Ledger {
  return { startedAt: new Date(), sent: 0, refused: 0, accepted: 0, promised: new Map(), wrong: [] };
}

/** Sends the requests in their order, some at the same time, to the targets in turn, and writes down every answer. */
export async function sendAll(
  ledger: Ledger,
  requests: readonly PlannedRequest[],
  targets: readonly string[],
  concurrency = 16,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  let next = 0;
  async function sendSome(): Promise<void> {
    for (let index = next++; index < requests.length; index = next++) {
      const planned = requests[index]!;
      const answer = await send(agent, `${targets[index % targets.length] ?? ''}${planned.path}`, planned);
      record(ledger, planned, answer);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, sendSome));
  agent.destroy();
}

export function send(agent: Agent, url: string, { headers, body }: PlannedRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method: 'POST',
      agent,
      headers: { ...headers, 'content-length': body.length },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const json = JSON.parse(text || 'null') as Record<string, unknown>;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: json });
      });
    });
    request.end(body);
  });
}

/** Compares an answer with the plan and notes what it promises. */
export function record(ledger: Ledger, planned: PlannedRequest, answer: Answer): void {
  const { status, headers, body } = answer;
  const wrong = (what: string) =>
    note(ledger, `${what}: ${status} ${JSON.stringify(body)} for ${sentText(planned)}`);
  ledger.sent += planned.events.length;

  const wanted = wantedAnswer(planned);
  const given = {
    status,
    code: body.code,
    fields: fieldsOf(body.details),
    rejected: rejectedOf(body.rejected),
  };
  if (JSON.stringify(given) !== JSON.stringify(wanted)) return wrong('answer is not as planned');
  const requestId = headers['x-request-id'];
  if (typeof requestId !== 'string' || (planned.headers['x-request-id'] ?? requestId) !== requestId) {
    return wrong('X-Request-Id is missing or not the one that was sent');
  }

  const good = planned.events.filter((event): event is GoodEvent => 'expected' in event);
  ledger.refused += planned.events.length - good.length;
  if (status !== 202) return;
  ledger.accepted += good.length;
  const ids = planned.path === '' ? [body.eventId] : (body.eventIds as unknown[]);
  if (ids.length !== good.length || (planned.path === '/batch' && body.accepted !== good.length)) {
    return wrong(`${good.length} ids were expected`);
  }
  const userAgent = planned.headers['user-agent']?.slice(0, 512) ?? null;
  good.forEach(({ id: wantedId, expected }, index) => {
    const id = String(ids[index]);
    if (wantedId === undefined ? !UUID_V7.test(id) || ledger.promised.has(id) : id !== wantedId) {
      return wrong(`id ${id} instead of ${wantedId ?? 'a new UUIDv7'}`);
    }
    const promised = ledger.promised.get(id) ?? { expected, answers: [] };
    promised.answers.push({ requestId, userAgent });
    ledger.promised.set(id, promised);
  });
}

export const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

function wantedAnswer({ path, events, refusal }: PlannedRequest) {
  if (refusal) return { ...refusal, fields: refusal.fields.toSorted(), rejected: [] };
  const rejected = events.flatMap((event, index) =>
    'refused' in event ? [{ index, fields: event.refused.toSorted() }] : [],
  );
  if (rejected.length < events.length) return { status: 202, code: undefined, fields: [], rejected };
  const place = (index: number, field: string) => (field === '' ? String(index) : `${index}.${field}`);
  const fields = rejected.flatMap(({ index, fields: names }) =>
    path === '' ? names : names.map((field) => place(index, field)),
  );
  return { status: 400, code: 'invalid-event', fields: fields.toSorted(), rejected: [] };
}

function fieldsOf(details: unknown): string[] {
  return ((details ?? []) as { field: string; message: string }[])
    .map(({ field, message }) => (message ? field : `${field} without a message`))
    .toSorted();
}

function rejectedOf(rejected: unknown): { index: number; fields: string[] }[] {
  return ((rejected ?? []) as { index: number; details: unknown }[]).map(({ index, details }) => ({
    index,
    fields: fieldsOf(details),
  }));
}

function sentText({ path, headers, body, events }: PlannedRequest): string {
  const text = events.length === 1 ? events[0]!.text : body.toString('latin1');
  return `${path || '/'} ${JSON.stringify(headers)} ${text.slice(0, 500)}`;
}

function note({ wrong }: Ledger, what: string): void {
  if (wrong.length < WRONG_SHOWN_MAX) wrong.push(what.slice(0, 600));
}

/** Resolves when the store has as many documents as it has to, or when it gets no more. */
export async function waitUntilStored(countStored: () => Promise<number>, count: number): Promise<void> {
  let stored = -1;
  for (let newsAt = Date.now(); Date.now() - newsAt < STALL_MS; await delay(200)) {
    const now = await countStored();
    if (now >= count) return;
    if (now !== stored) newsAt = Date.now();
    stored = now;
  }
  process.stderr.write(`The store stays at ${stored} of ${count} documents.
`);
}

/** Compares what is stored with what was promised. */
export async function balance(ledger: Ledger, store: StoreReader): Promise<Summary> {
  const { sent, accepted, refused, promised, startedAt } = ledger;
  const found = new Map<string, number>();
  let foreign = 0;
  for await (const document of store.activities()) {
    const id = String(document.eventId);
    found.set(id, (found.get(id) ?? 0) + 1);
    const promise = promised.get(id);
    if (!promise) {
      foreign += 1;
      note(ledger, `nobody was promised ${JSON.stringify(document)}`);
      continue;
    }
    const mismatch = describeMismatch(document, promise, startedAt);
    if (mismatch)
      note(
        ledger,
        `${mismatch} in ${JSON.stringify(document)}, expected ${JSON.stringify(promise.expected)}`,
      );
  }
  const missing = [...promised.keys()].filter((id) => !found.has(id));
  for (const id of missing) note(ledger, `${id} is missing: ${JSON.stringify(promised.get(id))}`);
  const deadLetters = await store.deadLetters();
  for (const letter of deadLetters) note(ledger, `dead letter ${JSON.stringify(letter)}`);
  return {
    sent,
    accepted,
    refused,
    repeated: accepted - promised.size,
    stored: [...found.values()].reduce((sum, count) => sum + count, 0),
    doubled: [...found.values()].filter((count) => count > 1).length,
    missing: missing.length,
    foreign,
    deadLetters: deadLetters.length,
    wrong: ledger.wrong,
  };
}

/** One line of a table for people. */
export function printSummary(title: string, { wrong, ...counts }: Summary, startedAt: Date): void {
  const cells = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const seconds = ((Date.now() - startedAt.getTime()) / 1000).toFixed(1);
  process.stderr.write(`${title}: ${cells.join(', ')}, wrong ${wrong.length}; ${seconds} s\n`);
}
