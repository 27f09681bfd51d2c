import type { Socket } from 'node:net';

/** The part of the embedded engine that is used here; declared here because the package is optional. */
export interface Engine {
  roundTrip(message: Buffer): Promise<RoundTrip>;
  close(): Promise<void>;
}
interface RoundTrip {
  requestId: number;
  moreToCome: boolean;
  legacy: boolean;
  response: Buffer;
}

const headerBytes = 16;
/** The same limit as a real server's. */
const messageBytesMax = 48_000_000;
const OP_REPLY = 1;
const OP_MSG = 2013;
/** Flag bits and the kind of the one section: a plain body. */
const msgPrefix = Buffer.alloc(5);
/** Flags, cursor id, starting position and the number of documents, which is one. */
const replyPrefix = Buffer.alloc(20);
replyPrefix.writeInt32LE(1, 16);

/**
 * Serves the MongoDB wire protocol on one connection. Messages are answered in the order they arrive; the
 * function that is returned takes no further message, and resolves when the one in flight is answered.
 */
export function serve(engine: Engine, socket: Socket): () => Promise<void> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let replies = 0;
  let closing = false;
  let last = Promise.resolve();

  async function answer(message: Buffer): Promise<void> {
    if (closing || socket.destroyed) return;
    const { requestId, moreToCome, legacy, response } = await engine.roundTrip(message);
    if (moreToCome || socket.destroyed) return;
    socket.write(frame(requestId, ++replies, legacy, response));
  }

  /** The next whole message, or undefined while some of it has not arrived. */
  function next(): Buffer | undefined {
    if (bytes < headerBytes) return undefined;
    if ((chunks[0]?.length ?? 0) < headerBytes) chunks = [Buffer.concat(chunks)];
    const length = chunks[0]?.readInt32LE(0) ?? 0;
    if (length < headerBytes || length > messageBytesMax) {
      socket.destroy();
      return undefined;
    }
    if (bytes < length) return undefined;
    const [first] = chunks;
    const all = chunks.length === 1 && first ? first : Buffer.concat(chunks);
    const rest = all.subarray(length);
    chunks = rest.length === 0 ? [] : [rest];
    bytes = rest.length;
    return all.subarray(0, length);
  }

  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    for (let message = next(); message !== undefined; message = next()) {
      const received = message;
      // A dropped connection is what a client understands when a message cannot be answered.
      last = last.then(() => answer(received)).catch(() => void socket.destroy());
    }
  });
  // A client that went away needs nothing from this side.
  socket.on('error', () => undefined);

  return async () => {
    closing = true;
    await last;
    socket.destroySoon();
  };
}

function frame(requestId: number, replyId: number, legacy: boolean, body: Buffer): Buffer {
  const prefix = legacy ? replyPrefix : msgPrefix;
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeInt32LE(headerBytes + prefix.length + body.length, 0);
  header.writeInt32LE(replyId, 4);
  header.writeInt32LE(requestId, 8);
  header.writeInt32LE(legacy ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([header, prefix, body]);
}
