import { gzipSync } from 'node:zlib';
import { type DeadLetterReason } from '../consumer/store/store.ts';

/** How the API refuses it; `field` is the one that the answer has to name. */
export interface Refusal {
  status: 400 | 413;
  code: 'invalid-json' | 'invalid-event' | 'body-too-large';
  field?: string;
}

/**
 * Something that is sent to see what becomes of it. `stored` means: as it is, no value altered. What is not stored is
 * refused by the API, and straight on the queue it becomes one dead letter of this reason with the same bytes.
 */
export interface Poison {
  name: string;
  /** The JSON text of one event with this id, or of what stands in its place; `envelope` is what the API adds to it. */
  text: (id: string, envelope: string) => string | Buffer;
  /** Absent where it can only come to be on the queue. */
  http?: 'stored' | Refusal;
  queue: 'stored' | DeadLetterReason;
  /** No item of an array: not JSON, or too large to be sent twice. */
  alone: boolean;
  /** The user id that is stored, where it is another one. */
  userId?: string;
}

/** Fields of the event as JSON texts; undefined leaves one out. */
type Changes = Record<string, string | undefined>;

const MB = 1024 * 1024;
/** The API takes no larger body by default. */
const BODY_BYTES_MAX = 512 * 1024;
const invalid = (field?: string): Refusal => ({
  status: 400,
  code: 'invalid-event',
  ...(field !== undefined && { field }),
});
const tooLarge: Refusal = { status: 413, code: 'body-too-large' };

function eventText(changes: Changes, id: string, envelope: string): string {
  const fields: Changes = {
    eventId: JSON.stringify(id),
    userId: '"poison-user"',
    eventType: '"poison"',
    timestamp: '"2026-02-19T10:00:00.000Z"',
    payload: '{}',
    ...changes,
  };
  const members = Object.entries(fields).flatMap(([name, text]) =>
    text === undefined ? [] : [`${JSON.stringify(name)}:${text}`],
  );
  return `{${members.join()}${envelope}}`;
}

/** Good events: each is stored with its payload as it is. */
function good(payloads: Record<string, string>): Poison[] {
  return Object.entries(payloads).map(([name, payload]) => {
    const large = payload.length > BODY_BYTES_MAX - 1000;
    return {
      name: `payload of ${name}`,
      text: (id, envelope) => eventText({ payload }, id, envelope),
      http: large ? tooLarge : 'stored',
      queue: 'stored',
      // An array for many of these would be split by the limit of a body.
      alone: payload.length > 100_000,
    };
  });
}

/** Events that are refused for one field, which the answer names. */
function bad(field: string, cases: Record<string, Changes>): Poison[] {
  return Object.entries(cases).map(([name, changes]) => ({
    name: `${field || 'event'} with ${name}`,
    text: (id, envelope) => eventText(changes, id, envelope),
    http: eventText(changes, '', '').length > BODY_BYTES_MAX - 200 ? tooLarge : invalid(field),
    queue: 'invalid-event',
    alone: eventText(changes, '', '').length > 100_000,
  }));
}

const badPayload = (field: string, payloads: Record<string, string>) =>
  bad(field, Object.fromEntries(Object.entries(payloads).map(([name, payload]) => [name, { payload }])));

/** JSON that is no event at all. */
function noEvent(...texts: string[]): Poison[] {
  return texts.map((text) => ({
    name: `no event: ${text.slice(0, 30)}`,
    text: () => text,
    http: invalid(),
    queue: 'invalid-event',
    alone: false,
  }));
}

/** Bytes that are not JSON in UTF-8. */
function notJson(cases: Record<string, string | Buffer>): Poison[] {
  return Object.entries(cases).map(([name, text]) => ({
    name: `not JSON: ${name}`,
    text: () => text,
    http: text.length > BODY_BYTES_MAX ? tooLarge : { status: 400, code: 'invalid-json' },
    queue: 'invalid-json',
    alone: true,
  }));
}

/** What only another program than the API can put on the queue. */
function foreign(cases: Record<string, (id: string, envelope: string) => string>): Poison[] {
  return Object.entries(cases).map(([name, text]) => ({
    name: `envelope with ${name}`,
    text,
    queue: 'invalid-event',
    alone: false,
  }));
}

const without = (field: string) => (id: string, envelope: string) =>
  eventText({}, id, envelope.replace(new RegExp(`,"${field}":(?:null|"[^"]*")`), ''));
const replaced = (field: string, text: string) => (id: string, envelope: string) =>
  eventText({ [field]: text }, id, envelope.replace(new RegExp(`,"${field}":(?:null|"[^"]*")`), ''));

const nested = (levels: number, open: string, close: string) =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;
const bytes = (...values: number[]) => Buffer.from(values);
const json = (value: unknown) => JSON.stringify(value);
const object = (keys: readonly string[]) => json(Object.fromEntries(keys.map((key, index) => [key, index])));

const goodEvents: Poison[] = [
  ...good({
    nothing: '{}',
    'empty values': '{"":"","a":{},"b":[],"c":null,"d":false,"e":[[],{},null]}',
    'an empty key': '{"":{"":{"":1}}}',
    'keys with a dollar': '{"$":1,"$set":{"$inc":{"a":1}},"$where":"sleep(1)","a":{"$gt":""}}',
    'keys with dots': '{"a.b":1,".":2,"..":3,"a.":{".b":4},"a":{"b":5}}',
    'a reference that is none': '{"a":{"$ref":"users"},"b":{"$id":1},"c":{"$db":"x"}}',
    'extended JSON':
      '{"a":{"$oid":"507f1f77bcf86cd799439011"},"b":{"$date":"2026-01-01T00:00:00Z"},"c":{"$numberLong":"1"},"d":{"$undefined":true}}',
    'keys that objects have': object([
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'valueOf',
      'then',
    ]),
    'keys that objects get converted by':
      '{"toJSON":1,"toBSON":{"a":1},"toObject":"x","inspect":2,"length":-1}',
    'keys of Mongoose': object([
      '_id',
      '__v',
      'id',
      '_doc',
      '$__',
      '$isNew',
      'isMongooseArray',
      '$isMongooseMap',
    ]),
    'keys in the order of numbers': '{"2":1,"1":2,"0":3,"-1":4,"1.5":5,"01":6}',
    'keys from all of Unicode': object([
      'ä',
      '日本',
      '😀',
      '\u200b',
      '\u202e',
      '\ufeff',
      '\uffff',
      '\u2028',
      '\x7f',
      '\x01',
    ]),
    'all control characters but NUL': json({
      a: String.fromCharCode(...Array.from({ length: 31 }, (_, code) => code + 1)),
    }),
    'text from all of Unicode': json({
      a: '\ufeffä日本😀\u202e\u2028\u2029\uffff\ufffd',
      b: 'e\u0301',
      c: '\u00e9',
    }),
    escapes: String.raw`{"a":"\u0041\/\b\f\n\r\t\"\\\ud83d\ude00\u2028"}`,
    'text that looks like something':
      '{"a":"1e400","b":"9223372036854775808","c":"507f1f77bcf86cd799439011","d":"2026-01-01","e":"null","f":"\\\\u0000"}',
    'whole numbers':
      '{"a":[0,-1,2147483647,2147483648,-2147483649,4294967296,9007199254740991,-9007199254740992]}',
    'large exact numbers':
      '{"a":[9007199254740992,1e21,1000000000000000000000,1e100,1.7976931348623157e308,123456789e20]}',
    fractions:
      '{"a":[0.1,-1.5,0.30000000000000004,1e-7,5e-324,2.2250738585072014e-308,3.141592653589793,-0.1e-10]}',
    'numbers in other spellings': '{"a":[1.0,1.50,1E2,1e+2,10e-1,0e0,0.0,-0,-0.0,100e-2]}',
    'minus zero beside long digits': '{"a":-0,"b":"1234567890123456"}',
    '64 levels of objects': nested(64, '{"a":', '}'),
    '64 levels of arrays': `{"a":${nested(63, '[', ']')}}`,
    'ten thousand items': json({ a: Array.from({ length: 10_000 }, (_, index) => index) }),
    'thousands of keys': object(Array.from({ length: 5000 }, (_, index) => `key ${index}`)),
    'a key of 90 KB': object(['k'.repeat(90_000)]),
    'a text of 300 KB': json({ a: 'ä😀x'.repeat(40_000) }),
    // RFC 8259 leaves it open; of equal keys the last one counts, which API_DOCS.md says.
    'equal keys': '{"a":"1","a":{"b":"1","b":"2"},"c":"3"}',
    'a text of 1 MB': json({ a: 'x'.repeat(MB) }),
    'a text of 8 MB': json({ a: '😀'.repeat(2 * MB) }),
    '8 MB of escapes beside a long number': `{"a":"${'\\n'.repeat(4 * MB)}","n":1234567890123456}`,
    'a hundred thousand keys': object(Array.from({ length: 100_000 }, (_, index) => `key ${index}`)),
  }),
  {
    name: 'a byte order mark before the event',
    text: (id, envelope) => `\ufeff${eventText({}, id, envelope)}`,
    http: 'stored',
    queue: 'stored',
    alone: true,
  },
  {
    name: 'blanks around the event',
    text: (id, envelope) => `\r\n\t ${eventText({}, id, envelope)} \n`,
    http: 'stored',
    queue: 'stored',
    alone: false,
  },
  {
    // The API turns it into text; what is on the queue has been through the API.
    name: 'a user id that is a number',
    text: (id, envelope) => eventText({ userId: '9007199254740991' }, id, envelope),
    http: 'stored',
    queue: 'invalid-event',
    alone: false,
    userId: '9007199254740991',
  },
];

const badNumbers: Record<string, string> = {
  '2^53 + 1': '9007199254740993',
  '2^53 + 1 with a point': '9007199254740993.0',
  '2^53 + 1 with an exponent': '9.007199254740993e15',
  '2^63 - 1': '9223372036854775807',
  '2^63': '9223372036854775808',
  '-2^63 - 1': '-9223372036854775809',
  '2^64': '18446744073709551616',
  '400 digits': '9'.repeat(400),
  '1e400': '1e400',
  '-1e400': '-1E+400',
  '1e200000': '1e200000',
  '1e-400': '1e-400',
};

const badEvents: Poison[] = [
  ...bad('userId', {
    nothing: { userId: undefined },
    null: { userId: 'null' },
    'empty text': { userId: '""' },
    '257 characters': { userId: json('u'.repeat(257)) },
    'an operator': { userId: '{"$gt":""}' },
    'an array': { userId: '["a"]' },
    'a fraction': { userId: '1.5' },
    '2^63': { userId: '9223372036854775808' },
    '1e400': { userId: '1e400' },
    NUL: { userId: String.raw`"a\u0000b"` },
    'half a surrogate pair': { userId: String.raw`"\ud83d"` },
    '40,000 levels': { userId: nested(40_000, '[', ']') },
  }),
  ...bad('eventType', {
    nothing: { eventType: undefined },
    'a number': { eventType: '7' },
    '129 characters': { eventType: json('e'.repeat(129)) },
    NUL: { eventType: String.raw`"\u0000"` },
    'half a surrogate pair': { eventType: String.raw`"x\udfff"` },
  }),
  ...bad('timestamp', {
    nothing: { timestamp: undefined },
    'year 300000': { timestamp: '"+300000-01-01T00:00:00Z"' },
    'year 300000 without a sign': { timestamp: '"300000-01-01T00:00:00Z"' },
    'year 10000 by its zone': { timestamp: '"9999-12-31T23:59:59-01:00"' },
    'year 999': { timestamp: '"0999-12-31T00:00:00Z"' },
    'a number': { timestamp: '1771495200000' },
    '1e400': { timestamp: '1e400' },
    '30 February': { timestamp: '"2026-02-30"' },
    NUL: { timestamp: String.raw`"2026-02-19\u0000"` },
  }),
  ...bad('eventId', {
    'empty text': { eventId: '""' },
    'a number': { eventId: '17' },
    'an operator': { eventId: '{"$ne":1}' },
    '129 characters': { eventId: json('i'.repeat(129)) },
    NUL: { eventId: String.raw`"a\u0000"` },
    'half a surrogate pair': { eventId: String.raw`"\udc00"` },
  }),
  ...bad('payload', {
    null: { payload: 'null' },
    text: { payload: '"x"' },
    'a number': { payload: '5' },
    'an array': { payload: '[{}]' },
    '2^63': { payload: '9223372036854775808' },
    '40,000 arrays': { payload: nested(40_000, '[', ']') },
  }),
  ...badPayload('payload', {
    'a key _bsontype': '{"_bsontype":"ObjectId","id":"x"}',
    'a key __proto__': '{"__proto__":{"admin":true}}',
    'NUL in a key': String.raw`{"a\u0000b":1}`,
    'half a surrogate pair in a key': String.raw`{"\ud83d":1}`,
    'a reference': '{"$ref":"users","$id":1,"$db":"other"}',
  }),
  ...badPayload('payload.a', {
    ...Object.fromEntries(Object.entries(badNumbers).map(([name, text]) => [name, `{"a":${text}}`])),
    NUL: String.raw`{"a":"x\u0000"}`,
    'NUL and digits': String.raw`{"a":"\u00001e400"}`,
    'a high surrogate alone': String.raw`{"a":"\ud83d"}`,
    'a low surrogate alone': String.raw`{"a":"\ude00\ud83d"}`,
    'a _bsontype in it': '{"a":{"_bsontype":"Long","low":1,"high":0}}',
    'a __proto__ in it': '{"a":{"__proto__":null}}',
    'a reference in it': '{"a":{"$id":1,"$ref":"users"}}',
  }),
  ...badPayload('payload.a.0', {
    'a number in an array': '{"a":[1e400]}',
    'half a pair in an array': String.raw`{"a":["\udfff"]}`,
    'a _bsontype in an array': '{"a":[{"_bsontype":"Binary"}]}',
  }),
  ...badPayload(`payload${'.a'.repeat(64)}`, {
    '65 levels': nested(65, '{"a":', '}'),
    '200 levels': nested(200, '{"a":', '}'),
    '40,000 objects': nested(40_000, '{"a":', '}'),
    'a million objects': nested(MB, '{"a":', '}'),
  }),
  ...badPayload(`payload.a${'.0'.repeat(63)}`, {
    '65 levels of arrays': `{"a":${nested(65, '[', ']')}}`,
    '40,000 arrays in it': `{"a":${nested(40_000, '[', ']')}}`,
    'five million arrays in it': `{"a":${nested(5_000_000, '[', ']')}}`,
  }),
  ...bad('colour', { 'an unknown field': { colour: '"red"' } }),
  ...bad('__proto__', { 'an unknown field': { ['__proto__']: '{"userId":"x"}' } }),
  ...bad('constructor', { 'an unknown field': { constructor: '{"prototype":{}}' } }),
  ...bad('_bsontype', { 'an unknown field': { _bsontype: '"ObjectId"' } }),
  ...bad('$set', { 'an unknown field': { $set: '{"userId":"x"}' } }),
  ...bad('a.b', { 'an unknown field': { 'a.b': '1' } }),
  ...bad('processing', { 'an unknown field': { processing: '{"attempts":1}' } }),
  ...bad('', { 'two ids': { id: '"other"' } }),
];

const noEvents: Poison[] = [
  ...noEvent(
    'null',
    'true',
    '0',
    '-0',
    '1e400',
    '9223372036854775808',
    '"text"',
    '""',
    '{}',
    '[]',
    '[[]]',
    '[null]',
  ),
  ...noEvent('{"events":[]}', '{"":1}', String.raw`"\u0000"`, String.raw`"\ud83d"`, nested(40_000, '[', ']')),
  ...noEvent(`{"__proto__":${eventText({}, 'prototype', '')}}`),
];

const noJson: Poison[] = notJson({
  nothing: '',
  blanks: ' \r\n\t',
  words: 'hello',
  'an event cut off': '{"userId":"u","eventType":',
  'two events': `${eventText({}, 'one', '')}${eventText({}, 'two', '')}`,
  NaN: '{"userId":NaN}',
  Infinity: '[-Infinity]',
  'a comma too many': '{"userId":"u",}',
  comments: '/* */{}',
  'single quotes': "{'userId':'u'}",
  'a raw line break in text': '{"userId":"a\nb"}',
  'a number with a zero before it': '{"userId":01}',
  'half an escape': String.raw`{"userId":"\u12"}`,
  form: 'userId=u&eventType=x',
  XML: '<event/>',
  'a byte order mark alone': bytes(0xef, 0xbb, 0xbf),
  'two byte order marks': '\ufeff\ufeff{}',
  'UTF-16': Buffer.from(`\ufeff${eventText({}, 'utf-16', '')}`, 'utf16le'),
  'broken UTF-8': Buffer.concat([Buffer.from('"'), bytes(0xc3, 0x28), Buffer.from('"')]),
  'UTF-8 in too many bytes': Buffer.concat([Buffer.from('"'), bytes(0xc0, 0x80), Buffer.from('"')]),
  'an encoded surrogate': Buffer.concat([Buffer.from('"'), bytes(0xed, 0xa0, 0x80), Buffer.from('"')]),
  'UTF-8 cut off': Buffer.concat([Buffer.from('"'), bytes(0xf0, 0x9f, 0x98)]),
  'past the end of Unicode': Buffer.concat([
    Buffer.from('"'),
    bytes(0xf5, 0x80, 0x80, 0x80),
    Buffer.from('"'),
  ]),
  'zero bytes': Buffer.alloc(100),
  gzip: gzipSync(eventText({}, 'gzip', '')),
  BSON: bytes(5, 0, 0, 0, 0),
  '40,000 brackets': '['.repeat(40_000),
  '40,000 open objects': '{"a":'.repeat(40_000),
  'five million brackets': '['.repeat(5_000_000),
});

const foreignEvents: Poison[] = foreign({
  'no source': without('source'),
  'no receivedAt': without('receivedAt'),
  'no requestId': without('requestId'),
  'a source with NUL': replaced('source', String.raw`"a\u0000"`),
  'half a surrogate pair in the source': replaced('source', String.raw`"\ud800"`),
  'half a surrogate pair in the user agent': replaced('userAgent', String.raw`"\ud800"`),
  'a request id that is an object': replaced('requestId', '{"$gt":""}'),
  'an address that is a number': replaced('ip', '1'),
  'year 300000 as its receipt': replaced('receivedAt', '"+300000-01-01T00:00:00.000Z"'),
  'a receipt that is no text': replaced('receivedAt', '1e400'),
  'no id': (_id, envelope) => eventText({ eventId: undefined }, '', envelope),
  'a second id': (id, envelope) => eventText({ _id: '"x"' }, id, envelope),
});

/** More than the store takes as one document, though each is an event; the API's limit stands before it. */
const oversized: Poison[] = Object.entries({
  // Three bytes of JSON are a dozen in BSON.
  'an array that is larger in the store': `{"a":[${'1.5,'.repeat(1_500_000)}1]}`,
  'a text of 17 MB': json({ a: 'x'.repeat(17 * MB) }),
}).map(([name, payload]) => ({
  name,
  text: (id, envelope) => eventText({ payload }, id, envelope),
  http: tooLarge,
  queue: 'rejected-by-store',
  alone: true,
}));

const floods: Poison[] = [
  {
    name: 'a million items',
    text: () => `[${'0,'.repeat(1_000_000)}0]`,
    http: tooLarge,
    queue: 'invalid-event',
    alone: true,
  },
  {
    name: '17 MB of zero bytes',
    text: () => Buffer.alloc(17 * MB),
    http: tooLarge,
    queue: 'invalid-json',
    alone: true,
  },
  {
    name: 'a million unknown fields',
    text: () => object(Array.from({ length: 1_000_000 }, (_, index) => `k${index}`)),
    http: tooLarge,
    queue: 'invalid-event',
    alone: true,
  },
];

/** What every queue and every store is held against: an event is good or bad wherever it goes. */
export const poisons: readonly Poison[] = [
  ...goodEvents,
  ...badEvents,
  ...noEvents,
  ...noJson,
  ...foreignEvents,
  ...oversized,
  ...floods,
];

/** What the API adds to an event when it puts it on the queue. */
export const ENVELOPE =
  ',"source":"activities","receivedAt":"2026-02-19T10:00:01.000Z","requestId":null,"ip":null,"userAgent":null';
