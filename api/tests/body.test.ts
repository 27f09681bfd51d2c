import { connect } from 'node:net';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { MemoryStore } from 'express-rate-limit';
import {
  ACTIVITIES,
  activity,
  BATCH,
  closeServers,
  createTestApi,
  expectProblem,
  fieldsOf,
  listenAs,
  post,
  postRaw,
} from './support.ts';

afterEach(closeServers);

const json = JSON.stringify(activity());
const { app, queue } = createTestApi();
beforeEach(() => void queue.published.splice(0));

/** The event's JSON with a payload that is written as it stands. */
function withPayload(text: string): string {
  return `{"userId":"u","eventType":"t","timestamp":"2023-10-27T10:00:00Z","payload":${text}}`;
}

describe('A body that is taken', () => {
  it.each([
    ['gzip', gzipSync(json)],
    ['deflate', deflateSync(json)],
    ['br', brotliCompressSync(json)],
    ['identity', Buffer.from(json)],
    ['GZIP', gzipSync(json)],
  ])('may be encoded with %s', async (encoding, bytes) => {
    const response = await postRaw(app, bytes, { 'Content-Encoding': encoding });
    expect(response.status).toBe(202);
    expect(queue.events).toEqual([expect.objectContaining({ payload: activity().payload })]);
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded; charset=utf-8',
    'application/vnd.api+json',
    'application/cloudevents+json',
    'application/json; charset=iso-8859-1',
  ])('may be labelled %s', async (label) => {
    const response = await postRaw(app, json, { 'Content-Type': label });
    expect(response.status).toBe(202);
    expect(queue.events).toHaveLength(1);
  });

  it('may be gzip labelled as a form, as published clients send it', async () => {
    const response = await postRaw(
      app,
      gzipSync(`[${json}]`),
      { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Encoding': 'gzip' },
      BATCH,
    );
    expect(response.status).toBe(202);
  });

  it('may be without a label', async () => {
    expect((await postRaw(app, json).unset('Content-Type')).status).toBe(202);
    expect(queue.events).toHaveLength(1);
  });

  it('may be exactly as large as BODY_BYTES_MAX says, and not one byte larger', async () => {
    const small = createTestApi({ BODY_BYTES_MAX: '1024' });
    const fill = (bytes: number) => withPayload('{}').padEnd(bytes);
    expect((await postRaw(small.app, fill(1024))).status).toBe(202);
    expectProblem(await postRaw(small.app, fill(1025)), 'body-too-large');
  });

  it('may be sent in chunks without a length', async () => {
    const server = await listenAs(app);
    const { port } = server.address() as AddressInfo;
    const head = `POST ${ACTIVITIES} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunks = [json.slice(0, 50), json.slice(50)];
    const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
    expect(await exchange(port, `${head}${body}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 202 /);
  });

  // The store holds the request until its body has arrived, or until a part of it has.
  describe.each([
    ['before it is read', true],
    ['while it is counted and after', false],
  ])('and arrives %s', (_title, isWhole) => {
    let release: () => void = () => undefined;
    let counted: Promise<void>;

    async function listen(settings: Record<string, string> = {}) {
      let begun: () => void = () => undefined;
      counted = new Promise((resolve) => (begun = resolve));
      const held = new Promise<void>((resolve) => (release = resolve));
      const rateLimitStore = new MemoryStore();
      const increment = rateLimitStore.increment.bind(rateLimitStore);
      rateLimitStore.increment = async (key) => {
        begun();
        await held;
        return increment(key);
      };
      const waiting = createTestApi(settings, { rateLimitStore });
      const { port } = (await listenAs(waiting.app)).address() as AddressInfo;
      return { ...waiting, port };
    }

    /** Writes the head and some of the body, then has the request go on, and writes the rest before or after that. */
    async function sendParts(port: number, head: string, parts: string[]): Promise<string> {
      const socket = connect(port, '127.0.0.1');
      let answer = '';
      socket.on('data', (bytes) => (answer += String(bytes)));
      socket.on('error', () => undefined);
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.write(
        `POST ${ACTIVITIES} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head}\r\n\r\n${parts[0]}`,
      );
      await counted;
      if (!isWhole) release();
      for (const part of parts.slice(1)) {
        await delay(20);
        socket.write(part);
      }
      await delay(50);
      release();
      await closed;
      return answer;
    }

    const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

    it('in several parts', async () => {
      const { port, queue } = await listen();
      const head = `Content-Length: ${json.length}`;
      const answer = await sendParts(port, head, [json.slice(0, 20), json.slice(20, 90), json.slice(90)]);
      expect(answer).toMatch(/^HTTP\/1.1 202 /);
      expect(queue.events).toMatchObject([{ payload: activity().payload }]);
    });

    it('in chunks', async () => {
      const { port, queue } = await listen();
      const chunks = [json.slice(0, 20), json.slice(20, 90), json.slice(90)].map(chunk);
      const answer = await sendParts(port, 'Transfer-Encoding: chunked', [...chunks, '0\r\n\r\n']);
      expect(answer).toMatch(/^HTTP\/1.1 202 /);
      expect(queue.events).toMatchObject([{ payload: activity().payload }]);
    });

    it('in chunks, and is larger than may be', async () => {
      const { port, queue } = await listen({ BODY_BYTES_MAX: '1024' });
      const chunks = [chunk(json), chunk(' '.repeat(1000)), '0\r\n\r\n'];
      expect(await sendParts(port, 'Transfer-Encoding: chunked', chunks)).toMatch(/^HTTP\/1.1 413 /);
      expect(queue.published).toEqual([]);
    });

    it.each([
      ['with a length', 'Content-Length: 0', ['']],
      ['in chunks', 'Transfer-Encoding: chunked', ['', '0\r\n\r\n']],
      ['without a word', 'X: y', ['']],
    ])('and is empty, %s', async (_how, head, parts) => {
      const { port, queue } = await listen();
      const answer = await sendParts(port, head, parts);
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(answer).toContain('The body is empty');
      expect(queue.published).toEqual([]);
    });

    it('and its client goes', async () => {
      const { port, queue, logged } = await listen();
      const socket = connect(port, '127.0.0.1');
      const body = isWhole ? json : json.slice(0, 20);
      socket.write(`POST ${ACTIVITIES} HTTP/1.1\r\nHost: x\r\nContent-Length: ${json.length}\r\n\r\n${body}`);
      await counted;
      await delay(20);
      socket.destroy();
      await delay(20);
      release();
      await delay(50);
      expect(queue.published).toEqual([]);
      expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
    });
  });

  it.each([
    ['a fraction', '{"n":0.1}', { n: 0.1 }],
    ['a large exact number', '{"n":9007199254740992}', { n: 9007199254740992 }],
    ['an exact exponent', '{"n":1e100}', { n: 1e100 }],
    ['minus zero', '{"n":-0,"s":"1234567890123456"}', { n: 0, s: '1234567890123456' }],
    ['digits in a string', '{"n":"9223372036854775807"}', { n: '9223372036854775807' }],
    ['escapes', String.raw`{"s":"\u00e9\ud83d\ude00\n\"\\"}`, { s: 'é😀\n"\\' }],
    ['64 levels', `${'{"a":'.repeat(64)}1${'}'.repeat(64)}`, undefined],
  ])('keeps %s as it was sent', async (_name, text, payload) => {
    expect((await postRaw(app, withPayload(text))).status).toBe(202);
    expect(queue.events[0]?.payload).toEqual(payload ?? JSON.parse(text));
  });

  it('takes the last of two equal keys, as JSON.parse does', async () => {
    await postRaw(app, withPayload('{"a":1,"a":2}'));
    expect(queue.events[0]?.payload).toEqual({ a: 2 });
  });
});

describe('A body that is not JSON', () => {
  it.each([
    ['empty', ''],
    ['blank', '  '],
    ['cut off', '{"userId":'],
    ['a form', 'userId=1&eventType=x'],
    ['JavaScript', '{userId: "u"}'],
    ['NaN', withPayload('{"n":NaN}')],
    ['with a comma too many', withPayload('{"n":1,}')],
    ['two texts', `${json}${json}`],
    [
      'UTF-8 that is broken',
      Buffer.concat([Buffer.from('{"userId":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
    ],
    ['UTF-16', Buffer.from(json, 'utf16le')],
    [
      'an encoded surrogate',
      Buffer.concat([Buffer.from('"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"')]),
    ],
    ['binary', gzipSync(json)],
  ])('is refused: %s', async (_name, body) => {
    expectProblem(await postRaw(app, body), 'invalid-json');
    expectProblem(await postRaw(app, body, {}, BATCH), 'invalid-json');
    expect(queue.published).toEqual([]);
  });

  it.each([
    ['a JSON string', '"x"'],
    ['a JSON number', '5'],
    ['null', 'null'],
    ['true', 'true'],
    ['an array', '[]'],
    ['an array of an event', `[${json}]`],
    ['a number that JSON would alter', '9223372036854775808'],
  ])('nor an object: %s is refused as no event', async (_name, body) => {
    const { details } = expectProblem(await postRaw(app, body), 'invalid-event');
    expect(details).toEqual([{ field: '', message: 'must be a JSON object' }]);
  });

  it.each([
    ['cut off', gzipSync(json).subarray(0, 30)],
    ['not gzip', Buffer.from(json)],
    ['empty', Buffer.alloc(0)],
  ])('is refused with 4xx: gzip that is %s', async (_name, bytes) => {
    const response = await postRaw(app, bytes, { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'bad-request');
    expect(queue.published).toEqual([]);
  });
});

describe('A body that is too large', () => {
  const large = withPayload(`{"a":"${'x'.repeat(600 * 1024)}"}`);

  it.each([
    ['plain', Buffer.from(large), undefined],
    ['gzip of a few bytes', gzipSync(large), 'gzip'],
    ['deflate of a few bytes', deflateSync(large), 'deflate'],
    ['br of a few bytes', brotliCompressSync(large), 'br'],
    ['a gzip bomb', gzipSync(Buffer.alloc(64 * 1024 * 1024)), 'gzip'],
  ])('is refused with 413: %s', async (_name, bytes, encoding) => {
    const response = await postRaw(app, bytes, encoding ? { 'Content-Encoding': encoding } : {});
    expectProblem(response, 'body-too-large');
    expect(queue.published).toEqual([]);
  });
});

describe('A body in a form that is not understood', () => {
  it.each([
    ['application/xml'],
    ['multipart/form-data; boundary=x'],
    ['application/octet-stream'],
    ['text/html'],
    ['application/jsonp'],
    ['json'],
  ])('is refused with 415: labelled %s', async (label) => {
    expectProblem(await postRaw(app, json, { 'Content-Type': label }), 'unsupported-media-type');
  });

  it.each(['zstd', 'compress', 'gzip, gzip', 'gzip, br', 'x'])(
    'is refused with 415: encoded with %s',
    async (encoding) => {
      const response = await postRaw(app, gzipSync(gzipSync(json)), { 'Content-Encoding': encoding });
      expectProblem(response, 'unsupported-media-type');
    },
  );

  it('is refused with 400: gzip within gzip under one label', async () => {
    const response = await postRaw(app, gzipSync(gzipSync(json)), { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'invalid-json');
  });
});

describe('What JSON can say and a database cannot keep', () => {
  const nested = (levels: number, open: string, close: string) =>
    `${open.repeat(levels)}1${close.repeat(levels)}`;

  it.each([
    ['2^63', '{"n":9223372036854775808}', 'payload.n'],
    ['2^63 + 1', '{"n":9223372036854775809}', 'payload.n'],
    ['the largest 64-bit number', '{"n":9223372036854775807}', 'payload.n'],
    ['1e400', '{"a":{"n":1e400}}', 'payload.a.n'],
    ['-1e400 in an array', '{"a":[0,-1e400]}', 'payload.a.1'],
    ['1e-400', '{"n":1e-400}', 'payload.n'],
    ['2^53 + 1 with a point', '{"n":9007199254740993.0}', 'payload.n'],
    ['2^53 + 1 with an exponent', '{"n":9.007199254740993e15}', 'payload.n'],
    ['NUL in a string', String.raw`{"s":"a\u0000b"}`, 'payload.s'],
    ['NUL in a key', String.raw`{"a":{"k\u0000":1}}`, 'payload.a'],
    ['a high surrogate alone', String.raw`{"s":"\ud83d"}`, 'payload.s'],
    ['a low surrogate alone', String.raw`{"s":["\ude00x"]}`, 'payload.s.0'],
    ['a surrogate in a key', String.raw`{"\ud83d":1}`, 'payload'],
    ['__proto__', '{"__proto__":{"isAdmin":true}}', 'payload'],
    ['__proto__ further down', '{"a":[{"__proto__":1}]}', 'payload.a.0'],
    ['_bsontype', '{"a":{"_bsontype":"ObjectId"}}', 'payload.a'],
    ['65 levels', `{"a":${nested(65, '{"a":', '}')}}`, `payload${'.a'.repeat(64)}`],
    ['40,000 objects within each other', nested(40_000, '{"a":', '}'), `payload${'.a'.repeat(64)}`],
    ['40,000 arrays within each other', `{"a":${nested(40_000, '[', ']')}}`, `payload.a${'.0'.repeat(63)}`],
  ])('is refused by name in the payload: %s', async (_name, text, field) => {
    expect(fieldsOf(await postRaw(app, withPayload(text)))).toEqual([field]);
    const batch = await postRaw(app, `[${withPayload(text)},${json}]`, {}, BATCH);
    expect(batch.status).toBe(202);
    expect(batch.body).toMatchObject({ accepted: 1, rejected: [{ index: 0, details: [{ field }] }] });
    expect(queue.events).toHaveLength(1);
  });

  it.each([
    ['a number that is not exact', 'userId', '9223372036854775807'],
    ['a number without end', 'userId', '1e400'],
    ['NUL', 'userId', String.raw`"a\u0000"`],
    ['a surrogate alone', 'userId', String.raw`"\ud83d"`],
    ['arrays within each other', 'userId', nested(40_000, '[', ']')],
    ['objects within each other', 'userId', nested(40_000, '{"a":', '}')],
    ['NUL', 'eventType', String.raw`"a\u0000"`],
    ['a surrogate alone', 'eventType', String.raw`"\ud83d"`],
    ['arrays within each other', 'eventType', nested(40_000, '[', ']')],
    ['NUL', 'eventId', String.raw`"a\u0000"`],
    ['a number that is not exact', 'eventId', '9223372036854775807'],
    ['NUL', 'timestamp', String.raw`"\u00002023"`],
    ['a number that is not exact', 'timestamp', '9223372036854775807'],
    ['arrays within each other', 'timestamp', nested(40_000, '[', ']')],
    ['arrays within each other', 'payload', nested(40_000, '[', ']')],
    ['a number that is not exact', 'payload', '9223372036854775807'],
    ['a mark of BSON', '_bsontype', '"ObjectId"'],
    ['a constructor', 'constructor', '{"prototype":{}}'],
    ['a prototype', '__proto__', '{"userId":"x"}'],
    ['null', '__proto__', 'null'],
  ])('is refused by name: %s in %s', async (_name, field, text) => {
    const rest = Object.entries(activity()).filter(([name]) => name !== field);
    const body = `{${JSON.stringify(field)}:${text},${JSON.stringify(Object.fromEntries(rest)).slice(1)}`;
    expect(fieldsOf(await postRaw(app, body))).toEqual([field]);
    expect(queue.published).toEqual([]);
  });

  it('is refused as a whole: 40,000 levels in place of the event', async () => {
    expect(fieldsOf(await postRaw(app, nested(40_000, '[', ']')))).toEqual(['']);
    expect(fieldsOf(await postRaw(app, nested(40_000, '{"a":', '}')))).toContain('a');
    expect(fieldsOf(await postRaw(app, nested(40_000, '[', ']'), {}, BATCH))).toEqual(['0']);
    expect(fieldsOf(await postRaw(app, nested(40_000, '{"events":', '}'), {}, BATCH))).toEqual(['events']);
  });

  it('never becomes a fault of the server: as many levels as a body can hold', async () => {
    for (const [levels, open, close] of [
      [262_000, '[', ']'],
      [80_000, '{"a":', '}'],
    ] as const) {
      for (const text of [nested(levels, open, close), withPayload(nested(levels, open, close))]) {
        expect((await postRaw(app, text)).status).toBe(400);
        expect((await postRaw(app, text, {}, BATCH)).status).toBe(400);
      }
    }
  });

  it('never gives other objects a property they have not', async () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const poison = `{"${key}":{"polluted":1,"prototype":{"polluted":1}}}`;
      await postRaw(app, withPayload(poison));
      await postRaw(app, poison);
      await postRaw(app, `[${poison}]`, {}, BATCH);
      await postRaw(app, `{"events":[],"${key}":{"polluted":1}}`, {}, BATCH);
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect((Object as { polluted?: number }).polluted).toBeUndefined();
  });

  it('takes nothing of an event, and no events, out of a __proto__', async () => {
    const fields = fieldsOf(await postRaw(app, `{"__proto__":${json}}`));
    expect(fields.sort()).toEqual(['__proto__', 'eventType', 'timestamp', 'userId']);
    expect(fieldsOf(await postRaw(app, `{"__proto__":{"events":[${json}]}}`, {}, BATCH))).toEqual(['events']);
  });

  it('is named with the beginning of a long path, so that no answer is much larger than its request', async () => {
    const faults = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`k${index}`, '\0']));
    const response = await post(app, activity({ payload: { ['x'.repeat(400_000)]: faults } }));
    expect(fieldsOf(response)).toHaveLength(20);
    expect(response.text.length).toBeLessThan(20_000);
  });

  it('names at most 20 faults of one event', async () => {
    const faults = Array.from({ length: 500 }, (_, index) => [`k${index}`, 'x\0']);
    expect(fieldsOf(await post(app, activity({ payload: Object.fromEntries(faults) })))).toHaveLength(20);
  });
});

/** Writes to a socket and resolves to all that comes back until the server closes it. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    connect(port, '127.0.0.1')
      .on('error', reject)
      .on('data', (bytes) => (answer += String(bytes)))
      .on('close', () => resolve(answer))
      .write(text);
  });
}
