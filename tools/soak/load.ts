import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const BATCH_EVENTS = 50;
/** One request in so many is not valid, and one in so many is sent again. */
const INVALID_EVERY = 101;
const AGAIN_EVERY = 103;

export interface Load {
  /** Events of requests that were answered with 202, those sent again included. */
  accepted: number;
  /** Of those, events whose id had been accepted before. */
  again: number;
  /** Requests that were refused because they are not valid. */
  invalid: number;
  /** What should not have happened, by status or error. */
  unexpected: Map<string, number>;
}

/**
 * Sends events at a steady rate until `minutes` are over: half of them alone, half in batches of 50, a few not valid,
 * a few twice. Resolves when every request has its answer.
 */
export async function sendLoad(url: string, rate: number, minutes: number, load: Load): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const pending = new Set<Promise<void>>();
  const begun = performance.now();
  const run = (work: Promise<void>) => {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  };
  let sent = 0;
  for (let round = 0; performance.now() - begun < minutes * 60_000; round += 1) {
    const due = ((performance.now() - begun) / 1000) * rate;
    for (; sent < due; sent += BATCH_EVENTS * 2) {
      const first = `soak-${round}-${sent}`;
      for (let index = 0; index < BATCH_EVENTS; index += 1)
        run(sendOne(url, agent, load, sent + index, `${first}-${index}`));
      run(sendBatch(url, agent, load, `${first}-batch`));
    }
    await delay(20);
  }
  await Promise.all(pending);
  agent.destroy();
}

async function sendOne(url: string, agent: Agent, load: Load, count: number, eventId: string): Promise<void> {
  const isInvalid = count % INVALID_EVERY === 0;
  const event = { ...anEvent(eventId), ...(isInvalid && { timestamp: 'yesterday' }) };
  const status = await post(url, agent, event);
  if (isInvalid && status === '400') load.invalid += 1;
  else if (isInvalid || status !== '202') note(load, status);
  else {
    load.accepted += 1;
    if (count % AGAIN_EVERY !== 0) return;
    const second = await post(url, agent, event);
    if (second !== '202') return note(load, second);
    load.accepted += 1;
    load.again += 1;
  }
}

async function sendBatch(url: string, agent: Agent, load: Load, prefix: string): Promise<void> {
  const events = Array.from({ length: BATCH_EVENTS }, (_, index) => anEvent(`${prefix}-${index}`));
  const status = await post(`${url}/batch`, agent, events);
  if (status === '202') load.accepted += events.length;
  else note(load, status);
}

function anEvent(eventId: string) {
  const payload = { page: '/products/4711', referrer: 'https://example.org/', tags: ['a', 'b'], price: 12.5 };
  return {
    eventId,
    userId: `user-${eventId.length}`,
    eventType: 'page_view',
    timestamp: new Date().toISOString(),
    payload,
  };
}

function note(load: Load, what: string): void {
  load.unexpected.set(what, (load.unexpected.get(what) ?? 0) + 1);
}

/** The status of the answer, or the code of the error. */
function post(url: string, agent: Agent, body: unknown): Promise<string> {
  return new Promise((resolve) => {
    const headers = { 'Content-Type': 'application/json' };
    request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('close', () => resolve(String(response.statusCode)));
    })
      .on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'error'))
      .end(JSON.stringify(body));
  });
}
