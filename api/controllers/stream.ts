import { type Request, type RequestHandler, type Response } from 'express';
import Joi from 'joi';
import { Problem } from '../problems.ts';
import { type LiveStream, parsePosition, STREAMS_MAX, type Watcher } from '../services/stream.ts';
import { parseQuery } from './page.ts';

/** A client that has so much waiting for it is too slow, and is cut off: it may come back and go on from where it was. */
const BACKLOG_BYTES_MAX = 1024 * 1024;
/** Proxies close connections on which nothing happens, often after 30 or 60 s. */
const HEARTBEAT_MS = 15_000;
/** When a client comes back whose stream has ended. */
const RETRY_MS = 1000;

const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache',
  // Asks a proxy such as nginx to pass on what comes as it comes.
  'X-Accel-Buffering': 'no',
};

const querySchema = Joi.object<Watcher['filter']>({ userId: Joi.string(), eventType: Joi.string() });

/** GET of events as they are stored, as server-sent events (WHATWG HTML, section 9.2). */
export function openStream(stream: LiveStream): RequestHandler {
  return (req, res) => {
    const filter = parseQuery(querySchema, req.query);
    const after = lastPosition(req);
    if (req.method === 'HEAD') {
      res.writeHead(200, HEADERS).end();
      return;
    }
    const send = (text: string) => sendOrCutOff(res, text);
    const leave = stream.watch({ filter, after, send, end: () => res.end() });
    if (!leave) {
      const detail = `This process has ${STREAMS_MAX} streams open, or is shutting down.`;
      throw new Problem('stream-unavailable', detail);
    }
    res.writeHead(200, HEADERS);
    send(`retry: ${RETRY_MS}\n\n`);
    const heartbeat = setInterval(send, HEARTBEAT_MS, ':\n\n');
    res.on('close', () => {
      clearInterval(heartbeat);
      leave();
    });
  };
}

/**
 * Where the stream before had come to. An id that is none of ours is refused: who is told what is new instead would take
 * it for everything. `EventSource` does not come back after a 400, so that nobody asks for it for ever.
 */
function lastPosition(req: Request): Date | undefined {
  const id = req.get('last-event-id');
  if (id === undefined) return undefined;
  const position = parsePosition(id);
  if (position) return position;
  const message = 'must be the id of an event of this stream; leave it out to begin anew';
  throw new Problem('bad-request', 'No stream was opened.', [{ field: 'Last-Event-ID', message }]);
}

function sendOrCutOff(res: Response, text: string): void {
  if (res.writableLength > BACKLOG_BYTES_MAX) res.destroy();
  else res.write(text);
}
