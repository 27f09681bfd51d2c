import { setTimeout as delay } from 'node:timers/promises';
import { meterHandler, meterStore } from '../services/metering.ts';
import { workerCounts, workerRegistry, workerState } from '../services/metrics.ts';
import { createBackoff } from '../services/backoff.ts';
import { Batcher } from '../services/batcher.ts';
import { createProcessor } from '../services/processor.ts';
import { createMemoryStore } from '../store/memory.ts';
import { StoreUnavailable } from '@event-tracker/shared/errors';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { noCounts } from '@event-tracker/shared/process-report';
import { anEvent, silent } from './events.ts';

beforeEach(() => Object.assign(workerCounts, noCounts()));

/** A worker's way from message to store; several may share the store. */
function aWorker(store = createMemoryStore('tester'), worker = 'tester') {
  const backoff = createBackoff(1, silent);
  const metered = meterStore(store, worker);
  const batcher = new Batcher(metered, backoff, { batchSizeMax: 100, writesInFlightMax: 2 });
  const handle = meterHandler(createProcessor(metered, batcher, backoff, worker), 1);
  const send = (content: unknown, attempts = 1) =>
    handle({ body: Buffer.from(JSON.stringify(content)), attempts, redelivered: attempts > 1 });
  return { store, send };
}

test('an event is stored, or a duplicate when a client sends it again', async () => {
  const { send } = aWorker();
  const event = anEvent({ eventId: 'a' });
  await send(event);
  await send({ ...event, requestId: 'another', receivedAt: '2023-10-27T10:00:09.000Z' });
  expect(workerCounts).toEqual({ ...noCounts(), stored: 1, duplicate: 1 });
});

test('an event that is delivered again is not counted again', async () => {
  const { send, store } = aWorker();
  const events = [anEvent(), anEvent(), { eventId: 'bad' }];
  await send(events);
  // No broker delivers again within the millisecond to which the store keeps the time.
  await delay(2);
  await send(events, 2);
  await delay(2);
  await aWorker(store, 'another').send(events, 3);
  expect(workerCounts).toEqual({ ...noCounts(), stored: 2, dead: 1, repeated: 4, redelivered: 2 });
});

test('a redelivered event that nobody had stored is counted', async () => {
  const { send } = aWorker();
  await send([anEvent(), anEvent(), { eventId: 'bad' }], 2);
  expect(workerCounts).toEqual({ ...noCounts(), stored: 2, dead: 1, redelivered: 1 });
});

test.each<[string, Partial<ActivityEvent>]>([
  ['request', { requestId: 'another' }],
  ['time of receipt', { receivedAt: '2023-10-27T10:00:09.000Z' }],
])('a redelivered event of another %s than the stored one is a duplicate', async (_title, change) => {
  const { send } = aWorker();
  const event = anEvent();
  await send(event);
  await delay(2);
  await send({ ...event, ...change }, 2);
  expect(workerCounts).toMatchObject({ stored: 1, duplicate: 1, repeated: 0 });
});

test('the same event twice in one message counts twice, also when the message is redelivered before it was stored', async () => {
  const { send } = aWorker();
  const event = anEvent();
  await send([event, event], 2);
  expect(workerCounts).toMatchObject({ stored: 1, duplicate: 1, repeated: 0 });
});

test.each([1, 2])(
  'a write whose answer was lost counts its events once, at delivery %i',
  async (attempts) => {
    const { send, store } = aWorker();
    const save = store.save.bind(store);
    jest.spyOn(store, 'save').mockImplementationOnce(async (deliveries) => {
      await save(deliveries);
      throw new StoreUnavailable('the answer was lost');
    });
    await send([anEvent(), anEvent()], attempts);
    const { stored, duplicate, repeated } = workerCounts;
    expect([stored + duplicate, repeated]).toEqual([2, 0]);
  },
);

test('what is in hand is seen, and a message that is to be retried until it comes again', async () => {
  const store = createMemoryStore();
  const { send } = aWorker(store);
  jest.spyOn(store, 'save').mockRejectedValueOnce(new TypeError('bug'));
  const { verdicts } = workerState;
  const sent = send(anEvent());
  expect(workerState).toMatchObject({ handling: 1, delayed: 0 });
  await expect(sent).rejects.toThrow('bug');
  expect(workerState).toMatchObject({ handling: 0, delayed: 1, verdicts: verdicts + 1 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(workerState).toMatchObject({ handling: 0, delayed: 0 });
});

test('the metrics show it', async () => {
  const { send, store } = aWorker();
  store.rejects.add('refused');
  await send([anEvent(), anEvent({ eventId: 'refused' })]);
  await send('no event');
  const text = await workerRegistry.metrics();
  expect(text).toMatch(/^event_tracker_stored_events_total 1$/m);
  expect(text).toMatch(/^event_tracker_dead_events_total\{reason="rejected-by-store"\} 1$/m);
  expect(text).toMatch(/^event_tracker_batch_events_bucket\{le="2"\} [1-9]/m);
  expect(text).toMatch(/^event_tracker_accept_to_stored_seconds_count [1-9]/m);
  expect(text).toMatch(/^event_tracker_queue_depth_messages Nan$/im);
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
});
