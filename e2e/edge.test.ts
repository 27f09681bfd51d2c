import { randomBytes } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { connect } from 'amqplib';
import { freePort } from '../tools/services/free-port.ts';
import { describeWith, serviceUrl, uniqueName, until } from '../tools/services/in-tests.ts';
import { parserCases } from './parser-cases.ts';
import { type Program, ready, runProgram } from '../tools/programs.ts';
import { exchange, openRaw, statusesOf } from './raw-http.ts';
import { quantile, watchMemory } from './resources.ts';
import { endAll, errorLines, NO_LIMIT, ours, TIMEOUT_MS } from './support.ts';

const PATH = '/api/v1/activities';
const EVENT = '{"userId":"u","eventType":"t","timestamp":"2026-02-19T10:00:00Z"}';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const queues: string[] = [];

afterAll(endAll);
jest.setTimeout(TIMEOUT_MS);

interface Api {
  program: Program;
  port: number;
  url: string;
  queue: string;
}

/** The real API on RabbitMQ; the database is away, which it does not need. */
async function startApi(settings: Record<string, string> = NO_LIMIT): Promise<Api> {
  const port = await freePort();
  const queue = uniqueName('e2e_edge');
  queues.push(queue);
  const program = ours(
    runProgram('api/server.ts', {
      ...{ RABBITMQ_URL: serviceUrl('rabbitmq'), QUEUE_NAME: queue, API_PORT: String(port) },
      // So that the depth of the queue is the number of events.
      MESSAGE_EVENTS_MAX: '1',
      ...{
        DATABASE_URL: 'mongodb://127.0.0.1:1/none',
        STORE_TIMEOUT_MS: '300',
        LOG_LEVEL: 'warn',
        ...settings,
      },
    }),
  );
  await ready(program, port);
  return { program, port, url: `http://127.0.0.1:${port}`, queue };
}

async function onQueue<T>(
  work: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createChannel']>>) => Promise<T>,
) {
  const connection = await connect(serviceUrl('rabbitmq'));
  const result = await work(await connection.createChannel());
  await connection.close();
  return result;
}

const depthOf = (queue: string) => onQueue(async (channel) => (await channel.checkQueue(queue)).messageCount);

const head = (headers: string, path = PATH) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}`;

const post = (url: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body, headers: { ...JSON_TYPE, ...headers } });

/** The API is alive, takes events, and has written nothing to standard error. */
async function expectWell({ program, url }: Api): Promise<void> {
  expect((await post(url + PATH, EVENT)).status).toBe(202);
  expect(errorLines(program)).toEqual([]);
}

describeWith('rabbitmq', 'the edge', () => {
  let api: Api;

  beforeAll(async () => {
    api = await startApi();
  });
  afterAll(async () => {
    expect(await api.program.stop()).toBe(0);
    await onQueue((channel) => Promise.all(queues.splice(0).map((queue) => channel.deleteQueue(queue))));
  });

  describe('slow clients', () => {
    test('hundreds are cut off within 15 s, while /health answers under 100 ms', async () => {
      const ways = [
        '',
        `POST ${PATH} HTTP/1.1\r\nHost: x\r\nX-Slow:`,
        `${head('Content-Length: 100000\r\n\r\n')}{`,
        `${head('Transfer-Encoding: chunked\r\n\r\n')}1\r\n{\r\n`,
        `${head('Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n')}\x1f`,
      ];
      const openedAt = performance.now();
      const slow = Array.from({ length: 400 }, (_, index) => {
        const connection = openRaw(api.port);
        connection.socket.write(ways[index % ways.length]!);
        const cutAfter = connection.closed.then(() => performance.now() - openedAt);
        return {
          ...connection,
          cutAfter,
          isChunked: index % ways.length === 3,
          isSilent: index % ways.length === 0,
        };
      });
      const trickle = setInterval(() => {
        for (const { socket, isChunked, isSilent } of slow)
          if (!socket.destroyed && !isSilent) socket.write(isChunked ? '1\r\n \r\n' : ' ');
      }, 1000);

      const latencies: number[] = [];
      let cut = false;
      const ends = Promise.all(slow.map(({ cutAfter }) => cutAfter)).finally(() => (cut = true));
      while (!cut) {
        const askedAt = performance.now();
        expect((await fetch(`${api.url}/health`)).status).toBe(200);
        latencies.push(performance.now() - askedAt);
        await delay(50);
      }
      clearInterval(trickle);
      const last = Math.max(...(await ends));
      process.stderr.write(
        `slow clients: the last of ${slow.length} cut after ${(last / 1000).toFixed(1)} s; /health in ` +
          `${quantile(latencies, 0.5).toFixed(1)} ms (median), ${quantile(latencies, 0.95).toFixed(1)} ms (95 %) of ${latencies.length}\n`,
      );
      expect(last).toBeLessThan(15_000);
      // The client shares a machine with everything else: the few slowest are left to it.
      expect(quantile(latencies, 0.95)).toBeLessThan(100);
      for (const { received } of slow) expect(received()).toMatch(/^(?:HTTP\/1\.1 408 [^]*)?$/);
      await expectWell(api);
    });
  });

  describe('bombs', () => {
    const zeros = Buffer.alloc(100 * 1024 * 1024);
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
    const nested = gzipSync(gzipSync(gzipSync(zeros)));

    test('are refused, many at a time, with less than 20 MB more memory than honest bodies', async () => {
      // Young garbage is collected early: what shows is what bombs hold, not what Node has not collected yet. The less a
      // request makes of it, the more inflated bytes wait for the next collection.
      const api = await startApi({ ...NO_LIMIT, NODE_OPTIONS: '--max-semi-space-size=2' });
      const bombs: [string, Buffer, number][] = [
        ['gzip', gzipSync(zeros), 413],
        ['deflate', deflateSync(zeros), 413],
        ['br', brotliCompressSync(zeros, quality), 413],
        ['gzip', nested, 400],
        ['gzip, gzip', nested, 415],
        ['gzip, gzip, gzip', nested, 415],
      ];
      const throwAll = async (times: number) => {
        const answers = await Promise.all(
          Array.from({ length: times }, () => bombs)
            .flat()
            .map(async ([encoding, body, status], index) => {
              const path = index % 2 ? PATH : `${PATH}/batch`;
              const answer = await post(api.url + path, body, { 'Content-Encoding': encoding });
              await answer.arrayBuffer();
              return answer.status === status ? [] : [`${encoding}: ${answer.status}`];
            }),
        );
        return answers.flat();
      };
      // What compressed bodies of the same size cost from honest clients belongs to the baseline. Both phases
      // last for several collections: the first bombs come on top of what the honest bodies have left.
      const honest = gzipSync(JSON.stringify(randomBytes(100_000).toString('base64')));
      const sendHonest = async () => {
        const sent = Array.from({ length: 12 }, async () =>
          (await post(api.url + PATH, honest, { 'Content-Encoding': 'gzip' })).arrayBuffer(),
        );
        await Promise.all(sent);
      };
      const memoryDuring = async (times: number, work: () => Promise<unknown>) => {
        const watch = watchMemory(api.program.pid);
        for (let count = 0; count < times; count += 1) await work();
        return quantile(await watch(), 0.9);
      };
      await memoryDuring(100, sendHonest);
      const baseline = await memoryDuring(200, sendHonest);
      expect(await throwAll(1)).toEqual([]);
      const growth = (await memoryDuring(200, async () => expect(await throwAll(2)).toEqual([]))) - baseline;
      process.stderr.write(
        `bombs: 2,400 of 100 MiB, memory grew by ${growth.toFixed(1)} MiB over ${baseline.toFixed(0)} MiB\n`,
      );
      expect(growth).toBeLessThan(20);
      await expectWell(api);
      expect(await api.program.stop()).toBe(0);
    });
  });

  describe('headers and URLs', () => {
    test.each([
      ['a header of 20 KB', head(`X-Large: ${'x'.repeat(20_000)}\r\n\r\n`), [431]],
      [
        'two thousand headers',
        head(`${'X: y\r\n'.repeat(2000)}Content-Length: 0\r\nConnection: close\r\n\r\n`),
        [400, 431],
      ],
      ['a URL of 20 KB', `GET ${PATH}/${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, [414, 431]],
      [
        'an event id of 15 KB',
        `GET ${PATH}/${'x'.repeat(15_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        [400, 404, 503],
      ],
      [
        'a query of 15 KB',
        `GET ${PATH}?${'a=1&'.repeat(3700)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
        [400],
      ],
      ['a method that is none', `EAT / HTTP/1.1\r\nHost: x\r\n\r\n`, [400]],
      ['a version that is none', `GET / HTTP/9.9\r\nHost: x\r\n\r\n`, [400, 505]],
      ['no host', `GET /health HTTP/1.1\r\n\r\n`, [400]],
      ['a NUL in a header', `GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`, [400]],
      ['a line break alone in a header', `GET /health HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n`, [400]],
      ['a space in a header name', `GET /health HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n`, [400]],
      ['the start of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', [400]],
      ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
      [
        'a length and chunks',
        head(`Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`),
        [400],
      ],
      [
        'chunks and a length',
        head(`Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG`),
        [400],
      ],
      ['two lengths', head(`Content-Length: 6\r\nContent-Length: 5\r\n\r\n123456`), [400]],
      ['a list of lengths', head(`Content-Length: 6, 6\r\n\r\n123456`), [400]],
      ['a negative length', head('Content-Length: -1\r\n\r\n'), [400]],
      ['a length with a sign', head('Content-Length: +6\r\n\r\n123456'), [400]],
      ['a length past 2^64', head('Content-Length: 99999999999999999999999\r\n\r\n'), [400]],
      ['a transfer encoding that is none', head(`Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`), [400, 501]],
      [
        'chunked twice',
        head(`Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
        [400],
      ],
      ['chunked not at the end', head(`Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`), [400]],
      ['chunked with a tab', head(`Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`), [400, 501]],
      ['a chunk size that is none', head(`Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n`), [400]],
      ['a chunk size past 2^64', head(`Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n`), [400]],
      [
        'a chunk that is longer than it says',
        head(`Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`),
        [400],
      ],
      ['a chunk with a line feed alone', head(`Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`), [400]],
      [
        'an endless chunk extension',
        head(`Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(40_000)}\r\n{\r\n0\r\n\r\n`),
        [400, 413],
      ],
    ])('%s is answered with 4xx and the connection closed', async (_name, text, statuses) => {
      const received = statusesOf(await exchange(api.port, Buffer.from(text, 'latin1')));
      // Of a request that is only half there, the answer ends all that follows on its connection.
      expect(received).toHaveLength(1);
      expect(statuses).toContain(received[0]);
    });
  });

  describe('requests that break off', () => {
    test('cost nothing: no log line, no event twice, and others are answered', async () => {
      const before = await depthOf(api.queue);
      const whole = `${head(`Content-Length: ${EVENT.length}\r\n\r\n`)}${EVENT}`;
      const ways = [
        whole.slice(0, 20),
        whole.slice(0, -5),
        head('Content-Encoding: gzip\r\nContent-Length: 50\r\n\r\n'),
      ];
      await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          const { socket, closed } = openRaw(api.port);
          socket.write(ways[index % ways.length]!, () =>
            index % 2 ? socket.resetAndDestroy() : socket.end(),
          );
          await closed;
        }),
      );
      // A client that does not wait for its answer has sent its event all the same.
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const { socket, closed } = openRaw(api.port);
          socket.end(whole);
          await closed;
        }),
      );
      await until(async () => (await depthOf(api.queue)) >= before + 50);
      await expectWell(api);
      expect(await depthOf(api.queue)).toBe(before + 51);
      expect(api.program.output()).not.toMatch(/"level":[56]0/);
    });

    test('what follows on a connection that was smuggled into is never read', async () => {
      const before = await depthOf(api.queue);
      const smuggled = `${head(`Content-Length: ${EVENT.length}\r\nConnection: close\r\n\r\n`)}${EVENT}`;
      for (const text of [
        `${head(`Content-Length: ${smuggled.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n`)}0\r\n\r\n${smuggled}`,
        `${head('Content-Length: 2\r\nContent-Length: 0\r\n\r\n')}${smuggled}`,
        `${head('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n')}0\r\n\r\n${smuggled}`,
        `${head('Transfer-Encoding: \x0bchunked\r\n\r\n')}0\r\n\r\n${smuggled}`,
      ]) {
        expect(statusesOf(await exchange(api.port, Buffer.from(text, 'latin1')))).toEqual([400]);
      }
      expect(await depthOf(api.queue)).toBe(before);
    });

    test('an X-Request-Id cannot put anything into answers and logs', async () => {
      for (const id of [
        'a b',
        'x'.repeat(129),
        '{"level":60}',
        'a%0d%0aSet-Cookie: x=1',
        '<script>',
        '\xff',
      ]) {
        const answer = await fetch(`${api.url}/health`, { headers: { 'X-Request-Id': id } });
        expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      }
    });
  });

  describe('the parser cases of JSONTestSuite', () => {
    test.each([PATH, `${PATH}/batch`])(
      'are answered at %s: what is no JSON as such, the rest as JSON',
      async (path) => {
        expect(parserCases).toHaveLength(318);
        const agent = new Agent({ keepAlive: true, maxSockets: 16 });
        const faults = await Promise.all(
          parserCases.map(async ({ name, input }) => {
            const { status, code } = await ask(agent, api.url + path, input);
            const given = `${status} ${code}`;
            const isJson = given === '400 invalid-event' || status === '202';
            const isOther = given === '400 invalid-json';
            const right = name.startsWith('y_')
              ? isJson
              : name.startsWith('n_')
                ? isOther
                : isJson || isOther;
            return right ? [] : [`${name}: ${given}`];
          }),
        );
        agent.destroy();
        expect(faults.flat()).toEqual([]);
        await expectWell(api);
      },
      60_000,
    );
  });
});

describeWith('rabbitmq', 'the limit in the default configuration', () => {
  test('lets 50 requests through, whatever addresses they claim to come from', async () => {
    const api = await startApi({});
    const headers = (n: number): Record<string, string>[] => [
      { 'X-Forwarded-For': `203.0.113.${n}` },
      { 'X-Forwarded-For': `203.0.113.${n}, 127.0.0.1, 10.0.0.${n}` },
      { Forwarded: `for=203.0.113.${n}` },
      { 'X-Real-IP': `203.0.113.${n}` },
      {
        'X-Client-IP': `203.0.113.${n}`,
        'CF-Connecting-IP': `203.0.113.${n}`,
        'True-Client-IP': `203.0.113.${n}`,
      },
      { 'X-Forwarded-For': `garbage ${n}`, 'X-Forwarded-Host': `host-${n}`, Via: `1.1 proxy-${n}` },
    ];
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => headers(n))
        .flat()
        .map((given) => post(api.url + PATH, EVENT, given)),
    );
    const statuses = answers.map(({ status }) => status);
    expect([202, 429].map((wanted) => statuses.filter((status) => status === wanted).length)).toEqual([
      50, 70,
    ]);
    expect(await api.program.stop()).toBe(0);
    expect(errorLines(api.program)).toEqual([]);
    await onQueue((channel) => channel.deleteQueue(api.queue));
  });
});

describeWith('rabbitmq', 'SIGTERM under keep-alive load', () => {
  test('ten times: unready first, no answer is lost, and the program ends with 0 within 10 s', async () => {
    const durations: number[] = [];
    for (let lot = 0; lot < 2; lot += 1) {
      const apis = await Promise.all(Array.from({ length: 5 }, () => startApi()));
      durations.push(...(await Promise.all(apis.map(endUnderLoad))));
    }
    process.stderr.write(
      `SIGTERM: ended after ${durations.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s\n`,
    );
    expect(durations).toHaveLength(10);
    expect(Math.max(...durations)).toBeLessThan(10_000);
  });
});

/** Ends an API while clients send on connections that are kept alive; resolves to how long it took. */
async function endUnderLoad({ program, port, url, queue }: Api): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const outcomes = new Map<string, number>();
  let over = false;
  void program.ended.then(() => (over = true));
  const clients = Array.from({ length: 8 }, async () => {
    while (!over) {
      const { status } = await ask(agent, url + PATH, EVENT);
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
      if (status === 'ECONNREFUSED') await delay(10);
    }
  });
  const probe = openRaw(port);
  const isReady = 'GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n';
  probe.socket.write(isReady);
  await until(() => (outcomes.get('202') ?? 0) > 50 && statusesOf(probe.received()).length === 1);
  expect(statusesOf(probe.received())).toEqual([200]);

  // A request that has begun keeps its connection, so that the answer to its end is seen however busy this machine is.
  probe.socket.write(isReady.slice(0, -2));
  const signalledAt = performance.now();
  const ended = program.stop();
  await until(() => outcomes.has('ECONNREFUSED'));
  probe.socket.write('\r\n');
  await probe.closed;
  expect(statusesOf(probe.received())).toEqual([200, 503]);
  expect(await ended).toBe(0);
  const duration = performance.now() - signalledAt;
  await Promise.all(clients);
  agent.destroy();

  const accepted = outcomes.get('202') ?? 0;
  // A reset connection is one whose request was never read: as many events are queued as answers were given.
  expect([...outcomes.keys()].filter((one) => !['202', 'ECONNREFUSED', 'ECONNRESET'].includes(one))).toEqual(
    [],
  );
  expect(await depthOf(queue)).toBe(accepted);
  expect(errorLines(program)).toEqual([]);
  await onQueue((channel) => channel.deleteQueue(queue));
  return duration;
}

/** The status of the answer and the code of its problem; for a request without one, the code of the error. */
function ask(agent: Agent, url: string, body: string): Promise<{ status: string; code?: string }> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { method: 'POST', agent, headers: JSON_TYPE }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const { code } = JSON.parse(text) as { code?: string };
        resolve({ status: String(response.statusCode), ...(code !== undefined && { code }) });
      });
      response.on('error', ({ message }) => resolve({ status: message }));
    });
    request.on('error', ({ code }: NodeJS.ErrnoException) => resolve({ status: code ?? 'unknown' }));
    request.end(body);
  });
}
