import { setTimeout as delay } from 'node:timers/promises';
import { readStream, type StreamClient } from '../api/tests/stream-client.ts';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName } from '../tools/services/in-tests.ts';
import { brokers, type OpenStore, type StoreName, stores } from '../tools/pairs.ts';
import { type Program, ready, runProgram } from '../tools/programs.ts';
import { endAll, NO_LIMIT, openFound, ours, TIMEOUT_MS } from './support.ts';

/** More than one poll of the stream brings, at a rate at which none brings all that it can. */
const BATCHES = 150;
const BATCH_EVENTS = 5;
const BATCH_INTERVAL_MS = 40;

afterAll(endAll);

describe.each(Object.keys(stores) as StoreName[])('on %s', (store) => {
  describeWith(['rabbitmq', stores[store].service], 'GET /api/v1/stream', () => {
    const name = uniqueName('e2e_stream');
    const programs: Program[] = [];
    let found: OpenStore;
    let api: string;

    async function start(file: string, portVariable: string): Promise<string> {
      const port = await freePort();
      const program = runProgram(file, {
        RABBITMQ_URL: serviceUrl('rabbitmq'),
        STORE_URL: found.url,
        QUEUE_NAME: name,
        LOG_LEVEL: 'warn',
        ...NO_LIMIT,
        [portVariable]: String(port),
      });
      programs.push(ours(program));
      await ready(program, port);
      return `http://127.0.0.1:${port}`;
    }

    beforeAll(async () => {
      found = await openFound(store, name);
      const workers = [0, 1].map(() => start('consumer/worker.ts', 'CONSUMER_PORT'));
      [api = ''] = await Promise.all([start('api/server.ts', 'API_PORT'), ...workers]);
    }, TIMEOUT_MS);

    afterAll(async () => {
      await Promise.all(programs.map((program) => program.stop()));
      await found.remove();
      await brokers.rabbitmq.remove(serviceUrl('rabbitmq'), name);
    });

    /** Sends all events, calls `midway` after half of them, and resolves to the ids that were accepted. */
    async function send(midway: () => Promise<void>): Promise<string[]> {
      const accepted: string[] = [];
      for (let batch = 0; batch < BATCHES; batch += 1) {
        if (batch === BATCHES / 2) await midway();
        const events = Array.from({ length: BATCH_EVENTS }, (_, index) => ({
          ...{ eventId: `${batch}-${index}`, userId: 'ada', eventType: 'page_view' },
          ...{ timestamp: '2026-02-19T10:00:00Z', payload: { path: `/${batch}` } },
        }));
        const answer = await fetch(`${api}/api/v1/activities/batch`, {
          ...{ method: 'POST', headers: { 'Content-Type': 'application/json' } },
          body: JSON.stringify(events),
        });
        accepted.push(...((await answer.json()) as { eventIds: string[] }).eventIds);
        await delay(BATCH_INTERVAL_MS);
      }
      return accepted;
    }

    test(
      'tells every event of two workers once, and leaves out none across a reconnect',
      async () => {
        const url = `${api}/api/v1/stream?userId=ada`;
        const steady = await readStream(url);
        const parts: StreamClient[] = [await readStream(url)];
        const accepted = await send(async () => {
          await parts[0]?.received(1);
          await parts[0]?.close();
          const last = parts[0]?.messages().at(-1)?.id ?? '';
          await delay(500);
          parts.push(await readStream(url, { 'Last-Event-ID': last }));
        });
        expect(accepted).toHaveLength(BATCHES * BATCH_EVENTS);

        const told = () => new Set(parts.flatMap((part) => part.ids()));
        while (told().size < accepted.length) await delay(50);
        await steady.received(accepted.length);
        // The polls to come bring the same events again.
        await delay(1500);
        expect(steady.ids().toSorted()).toEqual(accepted.toSorted());
        expect([...told()].toSorted()).toEqual(accepted.toSorted());
        for (const part of parts) expect(new Set(part.ids()).size).toBe(part.ids().length);
        expect(parts[0]?.ids().length).toBeLessThan(accepted.length);
        const pages = steady.messages().flatMap(({ data }) => (data ? [data.page] : []));
        expect(new Set(pages).size).toBe(BATCHES);
        await Promise.all([steady, ...parts].map((client) => client.close()));
      },
      TIMEOUT_MS,
    );
  });
});
