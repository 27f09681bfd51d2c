import { randomUUID } from 'node:crypto';
import { type ActivityEvent } from '@event-tracker/shared/event';
import { createLogger } from '@event-tracker/shared/logger';
import { noCounts, type ProcessReport } from '@event-tracker/shared/process-report';
import { type DeadLetter, type Delivery, type Store } from '../store/store.ts';

export const silent = createLogger('test', 'silent');

export function anEvent(overrides: Partial<ActivityEvent> = {}): ActivityEvent {
  return {
    eventId: randomUUID(),
    userId: 'user-1',
    eventType: 'page_view',
    timestamp: '2023-10-27T10:00:00.000Z',
    payload: { page: '/home', nested: { list: [1, 'two', null, true] } },
    source: 'activities',
    receivedAt: '2023-10-27T10:00:01.000Z',
    requestId: 'request-1',
    ip: '203.0.113.7',
    userAgent: 'test',
    ...overrides,
  };
}

export function aDelivery(overrides: Partial<ActivityEvent> = {}): Delivery {
  return { event: anEvent(overrides), attempts: 1, redelivered: false };
}

export function aDeadLetter(overrides: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: randomUUID(),
    reason: 'invalid-event',
    error: 'userId is required',
    details: [{ field: 'userId', message: 'is required' }],
    body: Buffer.from([0x7b, 0xff, 0x00, 0x7d]),
    eventId: null,
    eventType: 'page_view',
    attempts: 2,
    diedAt: new Date('2024-01-01T00:00:00.000Z'),
    worker: 'tester',
    ...overrides,
  };
}

/** The newest dead letters with their bodies. */
export async function allDead(store: Store): Promise<DeadLetter[]> {
  const heads = await store.listDead({ limit: 100 });
  return Promise.all(heads.map(async ({ id }) => (await store.getDead(id))!));
}

export function aReport(overrides: Partial<ProcessReport> = {}): ProcessReport {
  return {
    id: randomUUID(),
    service: 'worker',
    name: 'host:1',
    startedAt: new Date('2024-01-01T00:00:00.000Z'),
    reportedAt: new Date('2024-01-01T00:01:00.000Z'),
    ended: false,
    counts: { ...noCounts(), stored: 1 },
    inFlight: 2,
    depth: null,
    quietMs: 3,
    rates: noCounts(),
    latencies: { write: [0, 1, 2] },
    limiterDegraded: false,
    ...overrides,
  };
}
