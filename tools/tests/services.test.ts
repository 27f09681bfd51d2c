import { spawn } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { runSql } from '../../consumer/tests/databases.ts';
import { describeWith, serviceUrl, uniqueName } from '../services/in-tests.ts';
import { freePort } from '../services/free-port.ts';
import { startKafka } from '../services/kafka.ts';
import { startMysql } from '../services/mysql.ts';
import { startPostgres } from '../services/postgres.ts';
import { startRabbitmq } from '../services/rabbitmq.ts';
import { startRedis } from '../services/redis.ts';
import { parseServiceNames, serviceNames } from '../services/start-all.ts';

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describeWith('rabbitmq', 'RabbitMQ', () => {
  test('the one for the tests keeps a message until it is taken', async () => {
    const connection = await connect(serviceUrl('rabbitmq'));
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue(uniqueName('services'), { durable: true });
    channel.sendToQueue(queue, Buffer.from('kept'), { persistent: true });
    await channel.waitForConfirms();
    const message = await channel.get(queue, { noAck: true });
    expect(message && message.content.toString()).toBe('kept');
    await channel.deleteQueue(queue);
    await connection.close();
  });

  test('a private one keeps durable messages over SIGKILL, and leaves no process behind', async () => {
    const rabbitmq = await startRabbitmq();
    const before = rabbitmq.pid;
    let connection = await connect(rabbitmq.url);
    connection.on('error', () => undefined);
    let channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue('kept', { durable: true });
    channel.sendToQueue('kept', Buffer.from('kept'), { persistent: true });
    await channel.waitForConfirms();
    expect(await rabbitmq.ctl('list_queues', 'name', 'messages', '--no-table-headers')).toMatch(/^kept\t1$/m);

    // RabbitMQ says that a queue is declared before Mnesia has written it.
    await rabbitmq.ctl('eval', 'mnesia:sync_log().');
    await rabbitmq.kill();
    expect(isRunning(before)).toBe(false);
    await rabbitmq.restart();
    expect(rabbitmq.pid).not.toBe(before);
    connection = await connect(rabbitmq.url);
    channel = await connection.createConfirmChannel();
    const message = await channel.get('kept', { noAck: true });
    expect(message && message.content.toString()).toBe('kept');
    await connection.close();

    const { pid } = rabbitmq;
    await rabbitmq.stop();
    expect(isRunning(pid)).toBe(false);
  });
});

describeWith('kafka', 'Kafka', () => {
  test('a private one keeps its topics over SIGKILL, and leaves no process behind', async () => {
    const kafka = await startKafka();
    const before = kafka.pid;
    const client = new Kafka({ brokers: [new URL(kafka.url).host], logLevel: logLevel.NOTHING });
    const createAdmin = async () => {
      const admin = client.admin();
      await admin.connect();
      return admin;
    };
    const first = await createAdmin();
    await first.createTopics({ topics: [{ topic: 'kept' }], waitForLeaders: false });
    await first.disconnect();

    await kafka.kill();
    expect(isRunning(before)).toBe(false);
    await kafka.restart();
    const second = await createAdmin();
    expect(await second.listTopics()).toContain('kept');
    await second.disconnect();

    const { pid } = kafka;
    await kafka.stop();
    expect(isRunning(pid)).toBe(false);
  }, 120_000);
});

describeWith('redis', 'Redis', () => {
  test('it answers, falls silent when paused, comes back, and leaves no process behind', async () => {
    const service = await startRedis();
    const redis = new Redis(service.url, { lazyConnect: true });
    await redis.connect();
    expect(await redis.ping()).toBe('PONG');
    service.pause();
    const late = redis.set('a', '1');
    service.resume();
    expect(await late).toBe('OK');
    redis.disconnect();
    await service.stop();
    expect(isRunning(service.pid)).toBe(false);
  });

  test('one whose starter is killed is ended and its folder removed', async () => {
    const script = `
      const { startRedis } = require(${JSON.stringify(path.join(__dirname, '..', 'services', 'redis.ts'))});
      startRedis().then((redis) => console.log(JSON.stringify({ pid: redis.pid })));
    `;
    const starter = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', '-e', script]);
    const [line] = (await once(starter.stdout, 'data')) as [Buffer];
    const { pid } = JSON.parse(line.toString()) as { pid: number };
    expect(isRunning(pid)).toBe(true);
    const folder = process.platform === 'linux' ? readlinkSync(`/proc/${String(pid)}/cwd`) : '';
    starter.kill('SIGKILL');
    while (isRunning(pid) || existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

describe.each([
  ['postgres', startPostgres],
  ['mysql', startMysql],
] as const)('%s', (name, start) => {
  describeWith(name, 'a database of SQL', () => {
    test('keeps what it committed over SIGKILL, falls silent when paused, and leaves no process behind', async () => {
      const service = await start();
      const url = `${service.url}/activity_db`;
      await runSql(url, 'create table kept (n int)', 'insert into kept values (7)');
      await service.kill();
      expect(isRunning(service.pid)).toBe(false);
      await service.restart();
      expect(await runSql(url, 'select n from kept')).toEqual([{ n: 7 }]);

      service.pause();
      let answered = false;
      const late = runSql(url, 'select n from kept').then(() => (answered = true));
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(answered).toBe(false);
      service.resume();
      await late;

      const { pid } = service;
      await service.stop();
      expect(isRunning(pid)).toBe(false);
    });
  });
});

test('no two programs that start side by side are given the same port', async () => {
  // Of as many ports drawn from 20,000 two are the same in all but one of a hundred thousand runs.
  const ports = await Promise.all(Array.from({ length: 700 }, () => freePort()));
  expect(new Set(ports).size).toBe(700);
});

test('names of services are checked', () => {
  expect(parseServiceNames([''])).toEqual([...serviceNames]);
  expect(parseServiceNames(['none'])).toEqual([]);
  expect(parseServiceNames(['redis,mongodb'])).toEqual(['redis', 'mongodb']);
  expect(() => parseServiceNames(['nats'])).toThrow(
    '"nats" is none of rabbitmq, redis, mongodb, kafka, postgres, mysql, none',
  );
});
