import { randomInt } from 'node:crypto';
import net from 'node:net';

/** What this process has given out: programs that start side by side listen only later, and two may not get the same. */
const given = new Set<number>();
/** Nor may those of two test files at once: of Jest's processes, which are numbered from 1, each draws from its own. */
const SHARES = 4;
const share = Number(process.env.JEST_WORKER_ID ?? 0) % SHARES;
/** See `freePort`. */
const [LEAST, END] = [10_084, 30_000];

/**
 * A port on 127.0.0.1 that nobody listens on, another one each time. It lies below the range from which systems take the
 * ports of outgoing connections: a client that retries a port of that range, while its server is down, can be given the
 * very port it connects to, meets itself, and keeps the server from coming back. And it lies above 10080, the last one
 * that `fetch` and browsers refuse to connect to (https://fetch.spec.whatwg.org/#bad-port).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LEAST / SHARES, END / SHARES) * SHARES + share;
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
