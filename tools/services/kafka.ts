import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { spawnProcess } from './child.ts';
import { freePort } from './free-port.ts';
import { kafkaPrograms } from './kafka-jars.ts';
import { runService, temporaryFolder, type Service } from './service.ts';

/** A small heap, and a compiler that is quick to start rather than thorough. */
const JVM = ['-Xms64m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
/** Of a cluster that never meets another one; a random one may begin with `-` and is then taken for an option. */
const CLUSTER_ID = 'event-tracker-tests-00';
const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';

interface KafkaOptions {
  /** Whom the broker lets in, by SASL PLAIN or SCRAM-SHA-512; anyone without it. */
  user?: { name: string; password: string };
}

/** Starts an Apache Kafka broker of one's own, which is its own controller (KRaft). */
export async function startKafka({ user }: KafkaOptions = {}): Promise<Service> {
  const { java, jars } = await kafkaPrograms();
  const [port, internal, controller] = [await freePort(), await freePort(), await freePort()];
  const folder = await temporaryFolder('kafka');
  const file = path.join(folder, 'server.properties');
  await writeFile(file, properties(folder, { port, internal, controller }, user));
  const words = [...JVM, QUIET, '-cp', path.join(jars, '*')];

  const scram = user ? ['--add-scram', `SCRAM-SHA-512=[name=${user.name},password=${user.password}]`] : [];
  await promisify(execFile)(java, [
    ...words,
    ...['kafka.tools.StorageTool', 'format', '--standalone', '-t', CLUSTER_ID, '-c', file, ...scram],
  ]);
  return runService({
    url: `kafka://127.0.0.1:${String(port)}`,
    folder,
    start: async () => {
      const kafka = spawnProcess('kafka', java, [...words, 'kafka.Kafka', file]);
      await kafka.answers(() => answers(internal));
      return kafka;
    },
  });
}

interface Ports {
  port: number;
  internal: number;
  controller: number;
}

function properties(
  folder: string,
  { port, internal, controller }: Ports,
  user: KafkaOptions['user'],
): string {
  const at = (listener: string, number: number) => `${listener}://127.0.0.1:${String(number)}`;
  const clients = `${at('CLIENTS', port)},${at('INTERNAL', internal)}`;
  const module = 'org.apache.kafka.common.security';
  const sasl = `
listener.name.clients.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.clients.plain.sasl.jaas.config=${module}.plain.PlainLoginModule required user_${user?.name ?? ''}="${user?.password ?? ''}";
listener.name.clients.scram-sha-512.sasl.jaas.config=${module}.scram.ScramLoginModule required;
`;
  return `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${String(controller)}
listeners=${clients},${at('CONTROLLER', controller)}
advertised.listeners=${clients}
listener.security.protocol.map=CLIENTS:${user ? 'SASL_PLAINTEXT' : 'PLAINTEXT'},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
${user ? sasl : ''}
log.dirs=${path.join(folder, 'data')}
auto.create.topics.enable=false
# A broker that was killed comes back at once, not after the session of the one before.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
# One broker, and groups that begin without waiting for further members.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# Small, for many topics of a few messages each.
num.network.threads=2
num.io.threads=2
background.threads=2
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=2097152
`;
}

async function answers(port: number): Promise<void> {
  const kafka = new Kafka({
    brokers: [`127.0.0.1:${String(port)}`],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length === 0) throw new Error('the broker has not registered yet');
  } finally {
    await admin.disconnect();
  }
}
