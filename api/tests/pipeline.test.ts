import request from 'supertest';
import { createMemoryStore } from '@event-tracker/consumer/store/memory';
import { QueueUnavailable } from '@event-tracker/shared/errors';
import { LATENCY_BUCKETS_S } from '@event-tracker/shared/metrics';
import { type Counts, noCounts, type ProcessReport } from '@event-tracker/shared/process-report';
import { makeEvent } from '@event-tracker/shared/tests/queue-fixture';
import { meterPublish } from '../services/metrics.ts';
import { type PipelineReport, summarize } from '../services/pipeline.ts';
import { activity, BATCH, createTestApi, expectProblem, FakeQueue, getAsAdmin, post } from './support.ts';

const PIPELINE = '/api/v1/pipeline';
const NOW = Date.UTC(2024, 0, 1);
const ago = (ms: number) => new Date(NOW - ms);

type Changes = Partial<Omit<ProcessReport, 'counts'>> & { counts?: Partial<Counts> };

function aReport(service: 'api' | 'worker', { counts, ...changes }: Changes = {}): ProcessReport {
  return {
    ...{ id: `${service}-1`, service, name: `${service}:1`, startedAt: ago(60_000), reportedAt: ago(900) },
    ...{ ended: false, inFlight: 0, depth: service === 'api' ? null : 0, quietMs: 6000 },
    ...{ rates: noCounts(), latencies: {}, limiterDegraded: false, ...changes },
    counts: { ...noCounts(), ...counts },
  };
}

const sum = (processes: ProcessReport[], depth: number | null = 0, folded = noCounts()) =>
  summarize(processes, folded, depth, NOW);

describe('the sum', () => {
  const api = (changes: Changes = {}) => aReport('api', { counts: { accepted: 10 }, ...changes });
  const worker = (changes: Changes = {}) =>
    aReport('worker', { counts: { stored: 6, duplicate: 1, dead: 1 }, ...changes });

  it('is accepted = stored + duplicate + dead + inFlight while something may be in flight', () => {
    expect(sum([api(), worker({ inFlight: 2 })])).toMatchObject({
      ...{ accepted: 10, stored: 6, duplicate: 1, dead: 1 },
      ...{ inFlight: 2, difference: null, settled: false },
      queue: { depth: 0, handedOut: 2, publishing: 0 },
    });
  });

  it('adds the processes that have ended, and those that were folded', () => {
    const others = [api({ ended: true }), worker({ ended: true, counts: { stored: 4 } })];
    const report = sum([api(), worker(), ...others], 0, { ...noCounts(), accepted: 5, stored: 5 });
    expect(report).toMatchObject({ accepted: 25, stored: 15, duplicate: 1, dead: 1 });
  });

  it('shows what is missing once nothing can be in flight', () => {
    expect(sum([api(), worker()])).toMatchObject({ inFlight: 0, difference: 2, settled: true });
    expect(sum([api({ counts: { accepted: 8 } }), worker()])).toMatchObject({ difference: 0, settled: true });
  });

  it.each<[string, ProcessReport[], number | null]>([
    ['messages wait in the queue', [api(), worker()], 1],
    ['the queue does not answer', [api(), worker()], null],
    ['a worker has messages', [api(), worker({ inFlight: 1 })], 0],
    ['an API waits for a confirmation', [api({ inFlight: 1 }), worker()], 0],
    ['an API has accepted something just now', [api({ quietMs: 4000 }), worker()], 0],
    ['a worker has decided something just now', [api(), worker({ quietMs: 4000 })], 0],
    ['a worker saw messages in the queue', [api(), worker({ depth: 3 })], 0],
    ['a worker did not see the queue', [api(), worker({ depth: null })], 0],
    ['the report of a process is late', [api(), worker({ reportedAt: ago(4000) })], 0],
  ])('is not settled while %s', (_title, processes, depth) => {
    expect(sum(processes, depth)).toMatchObject({ settled: false, difference: null });
  });

  it('settles without a process that was killed, once its messages are with others', () => {
    const killed = worker({ id: 'killed', inFlight: 9, reportedAt: ago(46_000) });
    const report = sum([api({ counts: { accepted: 16 } }), worker(), killed]);
    expect(report).toMatchObject({ settled: true, difference: 0, queue: { handedOut: 0 } });
    expect(report.processes.map(({ state }) => state)).toEqual(['running', 'running', 'silent']);
  });
});

describe('the latencies', () => {
  const buckets = (counts: Record<number, number>) =>
    [...LATENCY_BUCKETS_S, Infinity].map((bound) => counts[bound] ?? 0);

  it('are those of all running processes together', () => {
    const one = aReport('worker', { latencies: { write: buckets({ 0.01: 90 }) } });
    const two = aReport('worker', { id: 'two', latencies: { write: buckets({ 0.05: 9, Infinity: 1 }) } });
    const gone = aReport('worker', { id: 'gone', ended: true, latencies: { write: buckets({ 60: 99 }) } });
    const { latencies } = sum([one, two, gone]);
    expect(latencies.write).toEqual({ count: 100, p50Ms: 7.78, p95Ms: 38.89, p99Ms: 50 });
    expect(latencies.confirm).toEqual({ count: 0, p50Ms: null, p95Ms: null, p99Ms: null });
  });
});

describe(`GET ${PIPELINE}`, () => {
  it('answers to the admin alone', async () => {
    const { app } = createTestApi();
    expectProblem(await request(app).get(PIPELINE), 'unauthorized');
    expectProblem(await request(app).get('/metrics'), 'unauthorized');
    expectProblem(await request(app).post(PIPELINE), 'method-not-allowed');
  });

  it('shows what the processes have reported, and each of them', async () => {
    const { app, store } = createTestApi();
    const recent = { reportedAt: new Date(), startedAt: new Date() };
    const limited = { accepted: 3, rateLimited: 2, unconfirmed: 1 };
    await store.reportProcess(aReport('api', { ...recent, counts: limited, limiterDegraded: true }), true);
    await store.reportProcess(aReport('worker', { ...recent, counts: { stored: 3, repeated: 1 } }), true);
    const body = (await getAsAdmin(app, PIPELINE)).body as PipelineReport;
    expect(body).toMatchObject({
      ...{ accepted: 3, stored: 3, difference: 0, settled: true, unconfirmed: 1, repeated: 1 },
      limiter: { limited: 2, degraded: true },
    });
    expect(body.processes).toEqual([
      {
        ...{ service: 'api', name: 'api:1', state: 'running', inFlight: 0, ...limited },
        ...{ startedAt: expect.any(String) as string, reportedAt: expect.any(String) as string },
      },
      expect.objectContaining({ service: 'worker', stored: 3, duplicate: 0, dead: 0, repeated: 1 }),
    ]);
  });

  it('answers without the queue, and says so; not without the store', async () => {
    const store = createMemoryStore();
    const queue = new FakeQueue();
    const { app } = createTestApi({}, { store, queue });
    queue.fault = new QueueUnavailable('away');
    expect((await getAsAdmin(app, PIPELINE)).body).toMatchObject({ queue: { depth: null }, settled: false });
    store.away = true;
    expectProblem(await getAsAdmin(app, PIPELINE), 'store-unavailable');
  });
});

describe('GET /metrics', () => {
  async function metricsOf(app: Parameters<typeof getAsAdmin>[0]) {
    const response = await getAsAdmin(app, '/metrics');
    expect([response.status, response.get('Content-Type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    return (line: string) => {
      const [, value] =
        new RegExp(`^${line.replaceAll(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(response.text) ?? [];
      return Number(value ?? 0);
    };
  }

  it('counts what becomes of events and requests', async () => {
    const queue = new FakeQueue();
    const { app } = createTestApi({ RATE_LIMIT_MAX_REQUESTS: '6' }, { queue, limiterIsDegraded: () => true });
    const before = await metricsOf(app);
    await post(app);
    await post(app, [activity(), activity(), { userId: '' }], BATCH);
    await post(app, { userId: '' });
    await post(app, [{}, {}], BATCH);
    queue.fault = new QueueUnavailable('away');
    await post(app, [activity(), activity(), activity()], BATCH);
    await post(app);
    expectProblem(await post(app), 'rate-limited');
    const after = await metricsOf(app);
    const grownBy = (line: string) => after(line) - before(line);
    const lines = {
      event_tracker_accepted_events_total: 3,
      event_tracker_unconfirmed_events_total: 4,
      event_tracker_invalid_events_total: 4,
      'event_tracker_rejected_requests_total{reason="invalid-event"}': 2,
      'event_tracker_rejected_requests_total{reason="queue-unavailable"}': 2,
      'event_tracker_rejected_requests_total{reason="rate-limited"}': 1,
      event_tracker_rate_limited_requests_total: 1,
      event_tracker_confirm_seconds_count: 2,
    };
    expect(Object.fromEntries(Object.keys(lines).map((line) => [line, grownBy(line)]))).toEqual(lines);
    expect(after('event_tracker_publishes_in_flight')).toBe(0);
    expect(after('event_tracker_rate_limiter_degraded')).toBe(1);
    expect(after('nodejs_heap_size_used_bytes')).toBeGreaterThan(0);
  });

  it.each([
    [undefined, { accepted: 5, unconfirmed: 0 }],
    [new QueueUnavailable('away'), { accepted: 0, unconfirmed: 5 }],
  ])('counts each of the publishes that share a message, which ends with %s', async (fault, counts) => {
    const { app } = createTestApi();
    const before = await metricsOf(app);
    let confirm: () => void = () => undefined;
    const confirmation = new Promise<void>((resolve) => (confirm = resolve));
    const sent = confirmation.then(() => {
      if (fault) throw fault;
    });
    const metered = meterPublish({ publish: () => sent });
    const ends = Promise.allSettled(
      [
        [1, 2],
        [3, 4, 5],
      ].map((ids) => metered.publish(ids.map((id) => makeEvent(id)))),
    );
    expect((await metricsOf(app))('event_tracker_publishes_in_flight')).toBe(2);
    confirm();
    expect((await ends).map((end) => (end as PromiseRejectedResult).reason as unknown)).toEqual([
      fault,
      fault,
    ]);
    const after = await metricsOf(app);
    const grownBy = (line: string) => after(line) - before(line);
    expect(grownBy('event_tracker_accepted_events_total')).toBe(counts.accepted);
    expect(grownBy('event_tracker_unconfirmed_events_total')).toBe(counts.unconfirmed);
    expect(grownBy('event_tracker_confirm_seconds_count')).toBe(fault ? 0 : 1);
    expect(after('event_tracker_publishes_in_flight')).toBe(0);
  });

  it('shows a queue that is away, and publishes that wait', async () => {
    const queue = new FakeQueue();
    const { app } = createTestApi({}, { queue });
    let confirm: () => void = () => undefined;
    queue.confirmation = new Promise<void>((resolve) => (confirm = resolve));
    const answer = post(app).then(({ status }) => status);
    while ((await metricsOf(app))('event_tracker_publishes_in_flight') === 0);
    confirm();
    expect(await answer).toBe(202);
    expect((await metricsOf(app))('event_tracker_api_queue_connected')).toBe(1);
    queue.fault = new QueueUnavailable('away');
    const { app: another } = createTestApi({}, { queue });
    expect((await metricsOf(another))('event_tracker_api_queue_connected')).toBe(0);
  });
});
