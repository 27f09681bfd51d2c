import { Duplex } from 'node:stream';
import { type ChannelModel } from 'amqplib';
import { writeTogether } from '../queue/rabbitmq-writes.ts';

/** The connection of a model that keeps what goes to its socket, an item a call. */
function connection() {
  const calls: string[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      calls.push(String(chunk));
      done();
    },
    writev: (chunks, done) => {
      calls.push(chunks.map(({ chunk }) => String(chunk)).join('+'));
      done();
    },
  });
  writeTogether({ connection: { stream } } as unknown as ChannelModel);
  return { stream, calls };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is written in a turn goes out at once, in its order', async () => {
  const { stream, calls } = connection();
  for (const frame of ['method', 'header', 'body']) stream.write(frame);
  expect(calls).toEqual([]);
  await turn();
  stream.write('ack');
  await turn();
  expect(calls).toEqual(['method+header+body', 'ack']);
});

test('what is written right before the end goes out too', async () => {
  const { stream, calls } = connection();
  stream.write('close');
  stream.write('ok');
  stream.end();
  await turn();
  expect(calls).toEqual(['close+ok']);
  expect(stream.writableFinished).toBe(true);
});

test('a connection that keeps its socket elsewhere is left as it is', () => {
  const model = { connection: {} } as unknown as ChannelModel;
  expect(() => writeTogether(model)).not.toThrow();
});
