import { StoreUnavailable } from '@event-tracker/shared/errors';
import { createMemoryStore } from '../store/memory.ts';
import { markHours } from '../services/hours.ts';
import { aDelivery } from './events.ts';

const HOUR = '2024-01-01T10:00:00.000Z';
const NEXT_HOUR = '2024-01-01T11:00:00.000Z';

function create() {
  const store = createMemoryStore();
  const order: string[] = [];
  const save = store.save.bind(store);
  const mark = store.markHours.bind(store);
  jest.spyOn(store, 'save').mockImplementation(async (deliveries) => {
    const outcomes = await save(deliveries);
    order.push('saved');
    return outcomes;
  });
  const marks = jest.spyOn(store, 'markHours').mockImplementation(async (hours) => {
    order.push(hours.map((hour) => hour.toISOString()).join());
    await mark(hours);
  });
  return { store, marking: markHours(store), marks, order };
}

const at = (timestamp: string, eventId?: string) => aDelivery({ timestamp, ...(eventId && { eventId }) });

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

test('the hours of what was saved are marked behind the save, each once', async () => {
  const { marking, order } = create();
  await marking.save([at('2024-01-01T10:59:59.999Z'), at(HOUR), at(NEXT_HOUR)]);
  expect(order).toEqual(['saved', `${HOUR},${NEXT_HOUR}`]);
});

test('an hour is marked again once its mark is half over, and not before', async () => {
  const { marking, order } = create();
  await marking.save([at(HOUR)]);
  jest.advanceTimersByTime(4999);
  await marking.save([at(HOUR), at(NEXT_HOUR)]);
  jest.advanceTimersByTime(1);
  await marking.save([at(HOUR)]);
  expect(order).toEqual(['saved', HOUR, 'saved', NEXT_HOUR, 'saved', HOUR]);
});

test('a mark counts from before it was sent', async () => {
  const { marking, marks, order } = create();
  marks.mockImplementationOnce((hours) => {
    order.push(`slowly ${hours[0]!.toISOString()}`);
    jest.advanceTimersByTime(5000);
    return Promise.resolve();
  });
  await marking.save([at(HOUR)]);
  await marking.save([at(HOUR)]);
  expect(order).toEqual(['saved', `slowly ${HOUR}`, 'saved', HOUR]);
});

test('duplicates are marked, for who saved them may have ended before the mark; what was rejected is not', async () => {
  const { store, marking, order } = create();
  store.rejects.add('bad');
  await store.save([at(HOUR, 'a')]);
  const outcomes = await marking.save([at(HOUR, 'a'), at(NEXT_HOUR, 'bad')]);
  expect(outcomes.map(({ status }) => status)).toEqual(['duplicate', 'rejected']);
  expect(order).toEqual(['saved', 'saved', HOUR]);
});

test('a save whose mark fails has failed; tried again it is marked, and no duplicate', async () => {
  const { marking, marks, order } = create();
  const deliveries = [at(HOUR)];
  marks.mockRejectedValueOnce(new StoreUnavailable('away'));
  await expect(marking.save(deliveries)).rejects.toBeInstanceOf(StoreUnavailable);
  expect(await marking.save(deliveries)).toEqual([{ status: 'stored' }]);
  expect(order).toEqual(['saved', HOUR]);
});

test('what a worker remembers is bounded: the oldest mark is forgotten, and made once more', async () => {
  const { marking, order } = create();
  const hours = Array.from({ length: 10_001 }, (_, index) =>
    new Date(Date.UTC(2020, 0, 1, index)).toISOString(),
  );
  await marking.save(hours.map((hour) => at(hour)));
  await marking.save([at(hours[1]!), at(hours[10_000]!)]);
  await marking.save([at(hours[0]!)]);
  expect(order.slice(2)).toEqual(['saved', 'saved', hours[0]]);
});
