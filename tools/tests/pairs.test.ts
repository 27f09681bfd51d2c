import { openQueue } from '@event-tracker/shared/queue/open';
import { openStore } from '../../consumer/store/open.ts';
import { aDeadLetter, aDelivery, anEvent, silent } from '../../consumer/tests/events.ts';
import { type BrokerName, brokers, type StoreName, stores } from '../pairs.ts';
import { describeWith, serviceUrl, uniqueName } from '../services/in-tests.ts';

const queueOptions = {
  type: 'default',
  messageEventsMax: 1,
  inFlightMax: 100,
  publishTimeoutMs: 10_000,
} as const;

// What the suites over all pairs go by must see what is there, or they would hold whatever happens.
describe.each(Object.keys(stores) as StoreName[])('a store in %s', (name) => {
  describeWith(stores[name].service, 'seen from outside', () => {
    test('shows every field of every activity and dead letter, and is gone once it is removed', async () => {
      const database = uniqueName('pairs');
      const found = await stores[name].open(serviceUrl(stores[name].service), database);
      const driver = await openStore(found.url, { worker: 'tester', timeoutMs: 10_000 });
      await driver.prepare();
      const first = aDelivery({ eventId: 'first', payload: { '1': 0.5, a: ['ä', null] } });
      const second = { ...aDelivery({ eventId: 'second', ip: null }), attempts: 3, redelivered: true };
      await driver.save([first, second]);
      await driver.recordDead([
        aDeadLetter({ id: 'letter', body: Buffer.from([0, 0xff]), eventId: 'third' }),
      ]);

      const documents = new Map<string, object>();
      for await (const document of found.activities()) documents.set(String(document._id), document);
      expect([...documents.keys()].toSorted()).toEqual(['first', 'second']);
      const { receivedAt, requestId, ip, userAgent, timestamp, ...event } = first.event;
      const processing = { receivedAt: new Date(receivedAt), processedAt: expect.any(Date) as Date };
      expect(documents.get('first')).toEqual({
        ...{ _id: 'first', ...event, timestamp: new Date(timestamp) },
        processing: {
          ...{ ...processing, attempts: 1, redelivered: false, worker: 'tester', requestId, ip, userAgent },
        },
      });
      expect(documents.get('second')).toMatchObject({
        processing: { attempts: 3, redelivered: true, ip: null },
      });
      const letter = { id: 'letter', eventId: 'third', reason: 'invalid-event', attempts: 2 };
      expect(await found.deadLetters()).toMatchObject([{ ...letter, body: Buffer.from([0, 0xff]) }]);
      expect([await found.countActivities(), await found.countDeadLetters()]).toEqual([2, 1]);

      await driver.close();
      await found.remove();
      const again = await stores[name].open(serviceUrl(stores[name].service), database);
      // A database of SQL that is new has no tables.
      expect(await again.countActivities().catch(() => 0)).toBe(0);
      await again.remove();
      await Promise.all([found.close(), again.close()]);
    });
  });
});

describe.each(Object.keys(brokers) as BrokerName[])('a queue in %s', (name) => {
  const { service, url, depth, remove } = brokers[name];

  describeWith(service, 'seen from outside', () => {
    test('has the depth of what waits, and is gone once it is removed', async () => {
      const server = serviceUrl(service);
      const queue = uniqueName('pairs');
      const driver = await openQueue(url(server, queue), { ...queueOptions, name: queue }, silent);
      await driver.publish([anEvent(), anEvent(), anEvent()]);
      expect(await depth(server, queue)).toBe(3);
      const consumer = await driver.consume(() => Promise.resolve('ack'), {
        prefetch: 10,
        retryDelayMs: 100,
      });
      while ((await depth(server, queue)) > 0);
      await consumer.stop();
      await driver.publish([anEvent()]);
      expect(await depth(server, queue)).toBe(1);
      await driver.close();
      await remove(server, queue);
      expect(await depth(server, queue).catch(() => 0)).toBe(0);
    });
  });
});
