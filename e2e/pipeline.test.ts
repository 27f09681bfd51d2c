import { setTimeout as delay } from 'node:timers/promises';
import { type PipelineReport } from '../api/services/pipeline.ts';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName } from '../tools/services/in-tests.ts';
import { type Program, ready, runProgram } from '../tools/programs.ts';
import { endAll, NO_LIMIT, openDb, ours, TIMEOUT_MS } from './support.ts';

afterAll(endAll);

interface Member {
  file: string;
  port: number;
  program: Program;
}

describeWith(['rabbitmq', 'redis', 'mongodb'], 'GET /api/v1/pipeline over two APIs and two workers', () => {
  const name = uniqueName('e2e_pipeline');
  const members: Member[] = [];
  /** Ids that were answered with 202. */
  const accepted = new Set<string>();
  let sending: Promise<void> | undefined;
  let isOver = false;

  async function start(file: string): Promise<Member> {
    const port = await freePort();
    const environment = {
      RABBITMQ_URL: serviceUrl('rabbitmq'),
      REDIS_URL: serviceUrl('redis'),
      DATABASE_URL: `${serviceUrl('mongodb')}/${name}`,
      QUEUE_NAME: name,
      LOG_LEVEL: 'warn',
      ...NO_LIMIT,
      [file.startsWith('api') ? 'API_PORT' : 'CONSUMER_PORT']: String(port),
    };
    const program = ours(runProgram(file, environment));
    await ready(program, port);
    return { file, port, program };
  }

  const apis = () => members.filter(({ file }) => file.startsWith('api'));

  /** Events at a steady rate, a part of them in batches; what has no answer is sent again with the same id. */
  async function sendUntilOver(prefix: string): Promise<void> {
    isOver = false;
    for (let count = 0; !isOver; count += 1) {
      const ids = Array.from(
        { length: count % 5 === 0 ? 6 : 1 },
        (_, index) => `${prefix}-${count}-${index}`,
      );
      const events = ids.map((eventId) => ({
        ...{ eventId, userId: 'user-1', eventType: 'page_view', timestamp: '2026-02-19T10:00:00Z' },
      }));
      for (let attempt = 0; ; attempt += 1) {
        const { port } = apis()[(count + attempt) % apis().length] ?? { port: 0 };
        const answer = await fetch(`http://127.0.0.1:${port}/api/v1/activities/batch`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(events),
        }).catch(() => undefined);
        if (answer?.status === 202) break;
        await delay(20);
      }
      for (const id of ids) accepted.add(id);
      await delay(5);
    }
  }

  async function read(): Promise<PipelineReport> {
    const answer = await fetch(`http://127.0.0.1:${apis()[0]?.port}/api/v1/pipeline`);
    return (await answer.json()) as PipelineReport;
  }

  async function settled(): Promise<PipelineReport> {
    isOver = true;
    await sending;
    for (;;) {
      const report = await read();
      const { stored, duplicate, dead, inFlight, difference } = report;
      expect(report.accepted).toBe(stored + duplicate + dead + inFlight + (difference ?? 0));
      if (report.settled) return report;
      await delay(500);
    }
  }

  const documents = () => openDb(serviceUrl('mongodb'), name).collection('activities').countDocuments();

  beforeAll(async () => {
    const files = ['consumer/worker.ts', 'consumer/worker.ts', 'api/server.ts', 'api/server.ts'];
    members.push(...(await Promise.all(files.map(start))));
    sending = sendUntilOver('polite');
  }, TIMEOUT_MS);

  test(
    'is exact when every process is restarted politely under load',
    async () => {
      for (const [index, member] of [...members].entries()) {
        const next = await start(member.file);
        members[index] = next;
        expect(await member.program.stop()).toBe(0);
      }
      const moving = await read();
      expect(moving.accepted).toBeGreaterThan(0);
      const report = await settled();
      expect(report).toMatchObject({ settled: true, difference: 0, dead: 0, unconfirmed: 0 });
      expect(report.stored).toBe(accepted.size);
      expect(await documents()).toBe(accepted.size);
      console.log(`polite restarts: ${JSON.stringify({ ...report, processes: report.processes.length })}`);
    },
    TIMEOUT_MS,
  );

  test(
    'after SIGKILL misses no more than the killed counted in their last second',
    async () => {
      sending = sendUntilOver('killed');
      await delay(3000);
      const [worker, , api] = members;
      const replacements = await Promise.all(['consumer/worker.ts', 'api/server.ts'].map(start));
      await Promise.all([worker?.program.killAll(), api?.program.killAll()]);
      [members[0], members[2]] = replacements as [Member, Member];
      await delay(2000);
      const report = await settled();
      console.log(`after SIGKILL: ${JSON.stringify({ ...report, processes: report.processes.length })}`);
      expect(await documents()).toBe(accepted.size);
      // What is sent in two seconds: a report may be late by another one on a slow machine.
      expect(report.difference).not.toBeNull();
      expect(Math.abs(report.difference ?? 0)).toBeLessThan(1000);
      expect(report.processes.filter(({ state }) => state === 'silent')).toHaveLength(2);
    },
    TIMEOUT_MS,
  );
});
