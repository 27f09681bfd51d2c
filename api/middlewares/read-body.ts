import { type IncomingMessage } from 'node:http';
import { Problem } from '../problems.ts';

/**
 * Reads a body to its end; rejects with a Problem where it is larger than `bytesMax`, or the client is gone before.
 * `express.raw` also looks at types and encodings, which have been settled by then.
 */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer> | Buffer {
  if (Number(req.headers['content-length']) > bytesMax) throw tooLarge(bytesMax);
  // The body of most requests has arrived while they were counted.
  return req.complete && !req.destroyed ? takeBody(req, bytesMax) : awaitBody(req, bytesMax);
}

function takeBody(req: IncomingMessage, bytesMax: number): Buffer {
  const chunks: Buffer[] = [];
  // Node.js 26 gives a chunk a call, where earlier ones give all that has arrived.
  for (let chunk; (chunk = req.read() as Buffer | null);) chunks.push(chunk);
  const bytes = join(chunks);
  if (bytes.length > bytesMax) throw tooLarge(bytesMax);
  return bytes;
}

function awaitBody(req: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = () => req.off('data', take).off('end', end).off('close', cut).off('error', cut);
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= bytesMax) return;
      stop().pause();
      reject(tooLarge(bytesMax));
    };
    const end = () => {
      stop();
      resolve(join(chunks));
    };
    const cut = () => {
      stop();
      reject(new Problem('bad-request', 'The body ends before its end.'));
    };
    // It may have gone while the request was being counted.
    if (req.destroyed) cut();
    else req.on('data', take).on('end', end).on('close', cut).on('error', cut);
  });
}

/** Most bodies are one chunk. */
function join(chunks: Buffer[]): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function tooLarge(bytesMax: number): Problem {
  return new Problem('body-too-large', `The body is larger than ${bytesMax} bytes.`);
}
