import {
  EVENT_ID_LENGTH_MAX,
  EVENT_TYPE_LENGTH_MAX,
  parseActivity,
  parseEvent,
  parseTimestamp,
  USER_ID_LENGTH_MAX,
} from '../event.ts';
import { parseJson } from '../json.ts';
import { FAULTS_MAX } from '../storable.ts';

describe('parseTimestamp', () => {
  test.each([
    ['2023-10-27T10:00:00Z', '2023-10-27T10:00:00.000Z'],
    ['2023-10-27T10:00:00.5Z', '2023-10-27T10:00:00.500Z'],
    ['2023-10-27T10:00:00.123456789Z', '2023-10-27T10:00:00.123Z'],
    ['2023-10-27T10:00:00.9999Z', '2023-10-27T10:00:00.999Z'],
    ['2023-10-27T10:00:00,250Z', '2023-10-27T10:00:00.250Z'],
    ['2023-10-27t10:00:00z', '2023-10-27T10:00:00.000Z'],
    ['2023-10-27T10:00:00', '2023-10-27T10:00:00.000Z'],
    ['2023-10-27T10:00', '2023-10-27T10:00:00.000Z'],
    ['2023-10-27', '2023-10-27T00:00:00.000Z'],
    ['2023-10-27T10:00:00+05:30', '2023-10-27T04:30:00.000Z'],
    ['2023-10-27T10:00:00+0530', '2023-10-27T04:30:00.000Z'],
    ['2023-10-27T10:00:00-05', '2023-10-27T15:00:00.000Z'],
    ['2023-10-27T10:00+01:00', '2023-10-27T09:00:00.000Z'],
    ['2023-12-31T23:00:00-02:00', '2024-01-01T01:00:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29', '2000-02-29T00:00:00.000Z'],
    ['2023-10-27T24:00:00Z', '2023-10-28T00:00:00.000Z'],
    ['1000-01-01T00:00:00Z', '1000-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected);
  });

  test.each([
    '',
    'yesterday',
    '1698400800000',
    '2023',
    '2023-10',
    '20231027T100000Z',
    '2023-10-27 10:00:00',
    ' 2023-10-27T10:00:00Z',
    '2023-10-27T10:00:00Z ',
    '2023-10-27T10:00:00Z\n',
    '2023-10-27T',
    '2023-10-27Z',
    '2023-10-27T10Z',
    '2023-10-27T10:00:00.Z',
    '2023-10-27T10:00:00.1234567890Z',
    '2023-10-27T10:00:60Z',
    '2023-10-27T10:60:00Z',
    '2023-10-27T25:00:00Z',
    '2023-10-27T24:00:01Z',
    '2023-10-27T10:00:00+24:00',
    '2023-10-27T10:00:00+5',
    '2023-13-01T00:00:00Z',
    '2023-00-01T00:00:00Z',
    '2023-01-00T00:00:00Z',
    '2023-01-32T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2023-04-31T00:00:00Z',
    '1900-02-29',
    '0999-12-31T23:59:59.999Z',
    '1000-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '+12023-10-27T10:00:00Z',
    '2023-10-27T10:00:00Z2023-10-27T10:00:00Z',
  ])('%j names no moment', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });
});

const activity = {
  userId: 'a1b2c3d4-e5f6-7890-1234-567890abcdef',
  eventType: 'user_login',
  timestamp: '2023-10-27T10:00:00Z',
  payload: { ipAddress: '192.168.1.1', device: 'desktop' },
};

/** The fields that are wrong, in the order of the answer. */
function wrongFields(parsed: ReturnType<typeof parseActivity> | ReturnType<typeof parseEvent>): string[] {
  return parsed.ok ? [] : parsed.details.map(({ field }) => field);
}

describe('parseActivity', () => {
  test('keeps what a client sent, with the time in UTC', () => {
    expect(parseActivity(activity)).toEqual({
      ok: true,
      value: { ...activity, timestamp: '2023-10-27T10:00:00.000Z' },
    });
  });

  test('does not change what it is given', () => {
    const input = structuredClone({ ...activity, id: 'e-1', userId: 1 });
    parseActivity(input);
    expect(input).toEqual({ ...activity, id: 'e-1', userId: 1 });
  });

  test('a missing payload is an empty one', () => {
    expect(parseActivity({ ...activity, payload: undefined })).toMatchObject({
      ok: true,
      value: { payload: {} },
    });
  });

  test.each([
    [{ eventId: 'e-1' }, 'e-1'],
    [{ id: 'e-1' }, 'e-1'],
    [{ eventId: 'x'.repeat(EVENT_ID_LENGTH_MAX) }, 'x'.repeat(EVENT_ID_LENGTH_MAX)],
    [{}, undefined],
  ])('the id of %j is %s', (more, eventId) => {
    const parsed = parseActivity({ ...activity, ...more });
    expect(parsed.ok && parsed.value.eventId).toBe(eventId);
    expect(parsed.ok && 'id' in parsed.value).toBe(false);
  });

  test.each([
    [1, '1'],
    [0, '0'],
    [-7, '-7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ['1', '1'],
    [' ', ' '],
    ['ü', 'ü'],
    ['x'.repeat(USER_ID_LENGTH_MAX), 'x'.repeat(USER_ID_LENGTH_MAX)],
  ])('the userId %j is kept as %j', (userId, expected) => {
    expect(parseActivity({ ...activity, userId })).toMatchObject({ ok: true, value: { userId: expected } });
  });

  test.each([
    ['userId', undefined],
    ['userId', null],
    ['userId', ''],
    ['userId', 1.5],
    ['userId', 2 ** 53],
    ['userId', true],
    ['userId', ['1']],
    ['userId', { id: 1 }],
    ['userId', 'x'.repeat(USER_ID_LENGTH_MAX + 1)],
    ['userId', 'a\0b'],
    ['userId', '\ud800'],
    ['eventType', undefined],
    ['eventType', null],
    ['eventType', ''],
    ['eventType', 7],
    ['eventType', 'x'.repeat(EVENT_TYPE_LENGTH_MAX + 1)],
    ['eventType', 'a\0b'],
    ['timestamp', undefined],
    ['timestamp', null],
    ['timestamp', ''],
    ['timestamp', 'yesterday'],
    ['timestamp', 1_698_400_800_000],
    ['timestamp', '2023-02-30T00:00:00Z'],
    ['payload', null],
    ['payload', 'text'],
    ['payload', '{}'],
    ['payload', 7],
    ['payload', []],
    ['eventId', ''],
    ['eventId', null],
    ['eventId', 7],
    ['eventId', 'x'.repeat(EVENT_ID_LENGTH_MAX + 1)],
    ['eventId', 'a\0b'],
    ['id', 7],
    ['id', ''],
    ['colour', 'blue'],
    ['source', 'forged'],
    ['receivedAt', '2023-10-27T10:00:00Z'],
  ])('%s %j is the one fault', (field, value) => {
    const parsed = parseActivity({ ...activity, [field]: value });
    expect(parsed.ok).toBe(false);
    expect(new Set(wrongFields(parsed))).toEqual(new Set([field]));
  });

  test.each([undefined, null, 'text', 7, true, [], [activity]])('%j is no event', (input) => {
    const parsed = parseActivity(input);
    expect(parsed.ok).toBe(false);
    expect(wrongFields(parsed)).toEqual(['']);
  });

  test('every wrong field is named at once', () => {
    const parsed = parseActivity({ userId: '', timestamp: 'x', payload: { a: { b: 'nul\0' } }, colour: 1 });
    expect(wrongFields(parsed).toSorted()).toEqual([
      'colour',
      'eventType',
      'payload.a.b',
      'timestamp',
      'userId',
    ]);
  });

  test('a fault says what to do, and a value is not repeated', () => {
    const parsed = parseActivity({ ...activity, userId: '', timestamp: 's3cret', eventType: undefined });
    expect(parsed).toEqual({
      ok: false,
      details: expect.arrayContaining([
        { field: 'userId', message: 'must not be empty' },
        { field: 'eventType', message: 'is required' },
        {
          field: 'timestamp',
          message: 'must be an ISO 8601 date and time, for example 2023-10-27T10:00:00Z',
        },
      ]) as unknown,
    });
    expect(JSON.stringify(parsed)).not.toContain('s3cret');
  });

  test('both ids at once are refused, for one of them would be lost', () => {
    const parsed = parseActivity({ ...activity, eventId: 'a', id: 'b' });
    expect(parsed).toEqual({
      ok: false,
      details: [{ field: '', message: 'give either eventId or id, not both' }],
    });
  });

  test('no more than so many faults are named', () => {
    const strange = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`field${index}`, 1]));
    const parsed = parseActivity({ ...activity, ...strange });
    expect(wrongFields(parsed)).toHaveLength(FAULTS_MAX);
  });

  test.each([
    ['{"userId":9007199254740993,"eventType":"t","timestamp":"2023-10-27"}', 'userId'],
    ['{"userId":"u","eventType":"t","timestamp":"2023-10-27","payload":{"n":[1e400]}}', 'payload.n.0'],
    ['{"userId":"u","eventType":"t","timestamp":"2023-10-27","__proto__":{"a":1}}', '__proto__'],
    ['{"userId":"u","eventType":"t","timestamp":"2023-10-27","payload":{"__proto__":{}}}', 'payload'],
    ['{"userId":"u","eventType":"t","timestamp":"2023-10-27","constructor":1}', 'constructor'],
  ])('of %s the wrong field is %s', (text, field) => {
    expect(new Set(wrongFields(parseActivity(parseJson(Buffer.from(text)))))).toEqual(new Set([field]));
  });
});

describe('parseEvent', () => {
  const event = {
    eventId: 'e-1',
    userId: 'user-1',
    eventType: 'page_view',
    timestamp: '2023-10-27T10:00:00.000Z',
    payload: {},
    source: 'activities',
    receivedAt: '2023-10-27T10:00:01.000Z',
    requestId: null,
    ip: null,
    userAgent: null,
  };

  test.each([
    event,
    { ...event, requestId: 'r-1', ip: '::1', userAgent: 'curl/8' },
    { ...event, userAgent: '' },
  ])('%j is good', (input) => {
    expect(parseEvent(input)).toEqual({ ok: true, value: input });
  });

  test.each(Object.keys(event))('without %s it is not', (field) => {
    const parsed = parseEvent({ ...event, [field]: undefined });
    expect(wrongFields(parsed)).toEqual([field]);
  });

  test.each([
    ['userId', 7],
    ['id', 'e-1'],
    ['receivedAt', 'now'],
    ['source', ''],
    ['ip', ''],
    ['more', 1],
  ])('with %s %j it is not', (field, value) => {
    expect(new Set(wrongFields(parseEvent({ ...event, [field]: value })))).toEqual(new Set([field]));
  });
});
