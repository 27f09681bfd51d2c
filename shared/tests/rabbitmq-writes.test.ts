import { createRequire } from 'node:module';
import { Duplex, PassThrough, type Readable } from 'node:stream';
import { type ChannelModel } from 'amqplib';
import { writeInTurn } from '../queue/rabbitmq-writes.ts';

// amqplib's own, past what it exports: that it still has what is leaned on is what this is about.
const { Mux } = createRequire(require.resolve('amqplib'))('./lib/mux.js') as {
  Mux: new (stream: Duplex) => { pipeFrom: (channel: Readable) => void };
};

/** A connection that keeps what goes to its socket, an item a call, and a channel that is given frames to send. */
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
  const muxer = new Mux(stream);
  writeInTurn({ connection: { stream, muxer } } as unknown as ChannelModel);
  const channel = new PassThrough({ objectMode: true });
  muxer.pipeFrom(channel);
  const send = (...frames: string[]) => frames.forEach((frame) => channel.write(Buffer.from(frame)));
  return { send, channel, calls };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is sent goes out at once, in its order, and before the turn of the event loop ends', async () => {
  const { send, calls } = connection();
  await turn();
  const atEnd = turn().then(() => [...calls]);
  send('method', 'header', 'body');
  expect(calls).toEqual([]);
  expect(await atEnd).toEqual(['method+header+body']);
  send('ack');
  await turn();
  expect(calls).toEqual(['method+header+body', 'ack']);
});

test('what is sent right before the channel ends goes out too', async () => {
  const { send, channel, calls } = connection();
  send('close', 'ok');
  channel.end();
  await turn();
  expect(calls).toEqual(['close+ok']);
});

test('a connection whose parts have other names is left as it is', () => {
  const model = { connection: {} } as unknown as ChannelModel;
  expect(() => writeInTurn(model)).not.toThrow();
});
