import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../tools/services/free-port.ts';

export interface SentEvent {
  eventId: string;
  userId: string;
  eventType: string;
  timestamp: string;
  payload: Record<string, unknown>;
}

/** A batch as a browser has sent it, and what it was answered. */
export interface Received {
  method: string;
  contentType: string | undefined;
  body: { events: SentEvent[]; sentAt?: string };
  at: number;
  status: number;
  retryAfter: number;
}

/** An answer in place of the API's. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/**
 * A web site with the tracker on each of its pages and the API behind it, on an origin and with an address of its own,
 * so that neither storage nor limits of another one matter. It keeps what comes in.
 */
export interface Site {
  readonly url: string;
  readonly received: readonly Received[];
  /** Most requests to the API that were underway at one time. */
  readonly mostAtOnce: () => number;
  /** Stands in for the API where it returns an answer. */
  intercept: (received: Received) => Answer | undefined;
  /** How long answers take on their way back. */
  answerDelayMs: number;
  close(): Promise<void>;
}

let sites = 0;

/**
 * The files of `folder` are under `/files/`. A path that `pages` does not have is a page with the tracker, with the
 * options of `?options=`.
 */
export async function openSite(
  apiUrl: string,
  folder: string,
  pages: Record<string, string> = {},
): Promise<Site> {
  const port = await freePort();
  const address = `192.0.2.${(sites += 1)}`;
  const received: Received[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://site');
    if (url.pathname.startsWith('/api/')) {
      mostAtOnce = Math.max(mostAtOnce, (atOnce += 1));
      await passOn(req, res, url).finally(() => (atOnce -= 1));
    } else if (url.pathname.startsWith('/files/')) {
      res.setHeader('Content-Type', 'text/javascript');
      res.end(await readFile(path.join(folder, path.basename(url.pathname))));
    } else {
      res.setHeader('Content-Type', 'text/html; charset=utf-8');
      res.end(pages[url.pathname] ?? page(url.searchParams.get('options') ?? '{}'));
    }
  }

  async function passOn(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const body = await buffer(req);
    const one: Received = {
      method: req.method ?? '',
      contentType: req.headers['content-type'],
      body: JSON.parse(body.toString() || '{"events":[]}') as Received['body'],
      ...{ at: Date.now(), status: 0, retryAfter: 0 },
    };
    received.push(one);
    const answer = site.intercept(one) ?? (await askApi(req, body, url));
    Object.assign(one, {
      status: answer.status,
      retryAfter: Number(answer.headers?.['retry-after'] ?? 0),
    });
    await delay(site.answerDelayMs);
    res.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers });
    res.end(answer.body ?? '{}');
  }

  async function askApi(req: IncomingMessage, body: Buffer, url: URL): Promise<Answer> {
    const headers = { 'Content-Type': req.headers['content-type'] ?? '', 'X-Forwarded-For': address };
    const response = await fetch(apiUrl + url.pathname, {
      ...{ method: 'POST', headers, body: new Uint8Array(body) },
    });
    const retryAfter = response.headers.get('retry-after');
    return {
      status: response.status,
      headers: retryAfter === null ? {} : { 'retry-after': retryAfter },
      body: await response.text(),
    };
  }

  const server = createServer((req, res) => {
    serve(req, res).catch(() => res.destroy());
  });
  const site: Site = {
    url: `http://127.0.0.1:${port}`,
    received,
    mostAtOnce: () => mostAtOnce,
    intercept: () => undefined,
    answerDelayMs: 0,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return site;
}

function page(options: string): string {
  return `<!doctype html>
<title>A page</title>
<link rel="icon" href="data:," />
<script type="module">
  import { createTracker } from '/files/index.js';
  window.dropped = [];
  window.tracker = createTracker({ onDrop: (drop) => dropped.push(drop), ...${options.replaceAll('<', '\\u003c')} });
  window.trackMany = (eventType, from, to) => {
    for (let n = from; n < to; n += 1) tracker.track(eventType, { n });
  };
</script>`;
}
