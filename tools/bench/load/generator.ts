/** The load generator, a process of its own: raw sockets and requests built beforehand, so that it costs little. */
import net from 'node:net';
import { answerParent } from './answer.ts';
import { anActivity } from './events.ts';
import { watchProbes, type ProbeResult } from './probes.ts';

export interface LoadOptions {
  /** Ports of 127.0.0.1 over which the connections are spread. */
  ports: number[];
  connections: number;
  seconds: number;
  /** Events in each POST; 0 reads a page of one user's activities instead. */
  events: number;
  /** For reads: how many users there are. */
  users?: number;
  /** Each request comes from another of `POOL_EVENTS` clients, as a proxy tells; otherwise all come from one. */
  manyClients?: boolean;
  /** Requests a second, sent whether or not earlier ones were answered. Without it each answer sends the next one. */
  rate?: number;
  /** Marks one event in so many, and waits until it is in `activities` of this database. */
  probes?: { database: string; every: number };
}

export interface LoadResult {
  /** Good answers within the time. */
  requests: number;
  /** All good answers. */
  accepted: number;
  seconds: number;
  /** What else there was, by status or error. */
  unexpected: Record<string, number>;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  probes: ProbeResult | null;
}

const POOL_EVENTS = 2048;
const LAST_ANSWERS_MS = 10_000;
const BUCKET_MS = 0.02;
const BUCKETS = 1_000_000;
const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('ontent-Length: ');

interface Connection {
  socket: net.Socket;
  /** When the request was to be sent; NaN while there is none. */
  since: number;
  received: Buffer | null;
}

class Load {
  readonly #options: LoadOptions;
  readonly #good: number;
  readonly #pool: Buffer[];
  readonly #buckets = new Uint32Array(BUCKETS);
  readonly #idle: Connection[] = [];
  readonly #waiting: number[] = [];
  readonly #unexpected: Record<string, number> = {};
  readonly #probes: ReturnType<typeof watchProbes> | undefined;
  #sent = 0;
  #pending = 0;
  #requests = 0;
  #accepted = 0;
  #begun = 0;
  #end = Infinity;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#good = options.events === 0 ? 200 : 202;
    this.#pool = createPool(options);
    this.#probes = options.probes && watchProbes(options.probes.database);
  }

  async run(): Promise<LoadResult> {
    const { connections, seconds, rate } = this.#options;
    const all = await Promise.all(Array.from({ length: connections }, (_, index) => this.#connect(index)));
    this.#begun = performance.now();
    this.#end = this.#begun + seconds * 1000;
    if (rate === undefined) for (const connection of all) this.#send(connection, this.#begun);
    else {
      this.#idle.push(...all);
      await this.#pace(rate);
    }
    await until(() => performance.now() >= this.#end, Infinity);
    await until(() => this.#pending + this.#waiting.length === 0, LAST_ANSWERS_MS);
    const late = this.#pending + this.#waiting.length;
    if (late > 0) this.#note('no answer', late);
    // Before the probes are waited for: servers close connections on which nothing comes for seconds.
    for (const { socket } of all) socket.removeAllListeners('close').destroy();
    const probes = this.#probes ? await this.#probes.finish() : null;
    return {
      requests: this.#requests,
      accepted: this.#accepted,
      seconds,
      unexpected: this.#unexpected,
      p50Ms: this.#percentile(0.5),
      p95Ms: this.#percentile(0.95),
      p99Ms: this.#percentile(0.99),
      probes,
    };
  }

  #connect(index: number): Promise<Connection> {
    const { ports } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = net.connect({
        port: ports[index % ports.length] ?? 0,
        host: '127.0.0.1',
        noDelay: true,
      });
      const connection: Connection = { socket, since: NaN, received: null };
      socket.once('connect', () => resolve(connection));
      socket.on('error', reject);
      socket.on('close', () => {
        if (!Number.isNaN(connection.since)) this.#pending -= 1;
        this.#note('closed');
      });
      socket.on('data', (chunk) => this.#receive(connection, chunk));
    });
  }

  #send(connection: Connection, since: number): void {
    const { probes } = this.#options;
    const count = this.#sent++;
    connection.since = since;
    this.#pending += 1;
    if (probes && count % probes.every === 0) {
      const activity = anActivity(count);
      const probe = this.#probes?.begin(since);
      connection.socket.write(
        post(JSON.stringify({ ...activity, payload: { ...activity.payload, probe } }), 1),
      );
    } else connection.socket.write(this.#pool[count % this.#pool.length] ?? '');
  }

  /** A connection has one request at a time, so what arrives is the answer to it. */
  #receive(connection: Connection, chunk: Buffer): void {
    const received = connection.received ? Buffer.concat([connection.received, chunk]) : chunk;
    const head = received.indexOf(HEAD_END);
    const length = head < 0 ? -1 : received.indexOf(LENGTH);
    const size =
      length < 0 ? Infinity : head + 4 + parseInt(received.toString('latin1', length + 15, length + 24), 10);
    if (received.length < size) {
      connection.received = received;
      return;
    }
    connection.received = null;
    const now = performance.now();
    const status = (received[9]! - 48) * 100 + (received[10]! - 48) * 10 + (received[11]! - 48);
    if (status !== this.#good) this.#note(String(status));
    else {
      this.#accepted += 1;
      if (now <= this.#end) this.#requests += 1;
    }
    const bucket = Math.floor((now - connection.since) / BUCKET_MS);
    this.#buckets[Math.min(bucket, BUCKETS - 1)]! += 1;
    connection.since = NaN;
    this.#pending -= 1;
    if (this.#options.rate === undefined) {
      if (now < this.#end) this.#send(connection, now);
      return;
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else this.#send(connection, next);
  }

  /** A request for which no connection is free waits for one, and its time counts from when it was due. */
  async #pace(rate: number): Promise<void> {
    for (let due = 0; performance.now() < this.#end; await sleep(1)) {
      const now = performance.now();
      for (; due < ((now - this.#begun) / 1000) * rate; due += 1) {
        const connection = this.#idle.shift();
        if (connection) this.#send(connection, now);
        else this.#waiting.push(now);
      }
    }
  }

  #note(what: string, count = 1): void {
    this.#unexpected[what] = (this.#unexpected[what] ?? 0) + count;
  }

  #percentile(share: number): number {
    const total = this.#buckets.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    const bucket = this.#buckets.findIndex((count) => (seen += count) >= total * share);
    return (bucket + 0.5) * BUCKET_MS;
  }
}

function createPool({ events, users = 1, manyClients = false }: LoadOptions): Buffer[] {
  const size = Math.ceil(POOL_EVENTS / Math.max(events, 1));
  return Array.from({ length: size }, (_, index) => {
    if (events === 0) {
      const userId = anActivity(Math.floor((index / size) * users), users).userId;
      return Buffer.from(`GET /api/v1/activities?userId=${userId} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    }
    const activities = Array.from({ length: events }, (_, part) => anActivity(index * events + part));
    const client = manyClients ? `X-Forwarded-For: 10.0.${index >> 8}.${index & 255}\r\n` : '';
    return post(JSON.stringify(events === 1 ? activities[0] : activities), events, client);
  });
}

function post(body: string, events: number, header = ''): Buffer {
  const path = events === 1 ? '/api/v1/activities' : '/api/v1/activities/batch';
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nContent-Type: application/json\r\n` +
      `${header}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(holds: () => boolean, timeoutMs: number): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !holds() && performance.now() < deadline;)
    await sleep(5);
}

answerParent((options: LoadOptions) => new Load(options).run());
