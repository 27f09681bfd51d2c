import { type Duplex } from 'node:stream';
import { type ChannelModel } from 'amqplib';

/** What reads the frames that are to be sent from the streams of the channels, and writes them to the socket. */
interface Muxer {
  _scheduleRead: () => void;
  _readIncoming: () => void;
}

/**
 * Has what a connection is given to send go to the socket by one write before the event loop goes on. amqplib leaves it for
 * the next turn, and then the broker gets a message only when all requests that have come meanwhile are parsed; and it
 * writes what each `read()` of a channel's stream gives: all that is there until Node.js 24, and one frame on 26.
 * docs/where-the-time-goes.md has what it is worth.
 *
 * It leans on how amqplib names these parts; where they are gone, frames go out as amqplib has it.
 */
export function writeInTurn(model: ChannelModel): void {
  const { muxer, stream } = model.connection as unknown as { muxer?: Muxer; stream?: Duplex };
  if (typeof muxer?._readIncoming !== 'function' || typeof stream?.cork !== 'function') return;
  let isScheduled = false;
  muxer._scheduleRead = () => {
    if (isScheduled) return;
    isScheduled = true;
    process.nextTick(() => {
      isScheduled = false;
      stream.cork();
      muxer._readIncoming();
      stream.uncork();
    });
  };
}
