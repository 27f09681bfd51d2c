import { Packer } from '../queue/packer.ts';
import { makeEvent } from './queue-fixture.ts';

/** A packer, and the ids in each message that it has sent. */
function packer() {
  const sent: string[][] = [];
  const packing = new Packer({ messageEventsMax: 500, inFlightMax: 500 }, (body, settled) => {
    const events = [JSON.parse(body.toString())].flat() as { eventId: string }[];
    sent.push(events.map(({ eventId }) => eventId));
    settled();
    return Promise.resolve();
  });
  const add = (id: string) => void packing.add([makeEvent(id)]);
  return { add, sent };
}

const tick = () => new Promise<void>((resolve) => process.nextTick(resolve));
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('requests that come at once are sent while the turn of the event loop goes on', async () => {
  const { add, sent } = packer();
  ['a', 'b', 'c'].forEach(add);
  await tick();
  expect(sent).toEqual([['a', 'b', 'c']]);
  await turn();
  expect(sent).toHaveLength(1);
});

test('a request alone waits for others of its turn', async () => {
  const { add, sent } = packer();
  for (const id of ['a', 'b', 'c']) {
    add(id);
    await tick();
  }
  expect(sent).toEqual([]);
  await turn();
  expect(sent).toEqual([['a', 'b', 'c']]);
});
