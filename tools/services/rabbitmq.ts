import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { spawnProcess } from './child.ts';
import { findRabbitmq } from './find.ts';
import { freePort } from './free-port.ts';
import { runService, temporaryFolder, type Service } from './service.ts';

export interface Rabbitmq extends Service {
  /** Runs rabbitmqctl on this node and resolves to what it printed. */
  ctl(...args: string[]): Promise<string>;
}

/**
 * Starts a RabbitMQ node of one's own: nothing of it is shared with the system's, not even the Erlang cookie. `settings` are
 * the lines of its `rabbitmq.conf`.
 */
export async function startRabbitmq(settings = ''): Promise<Rabbitmq> {
  const programs = findRabbitmq();
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const folder = await temporaryFolder('rabbitmq');
  const env = environment(folder, port, distributionPort, epmdPort);
  await writeFile(path.join(folder, 'enabled_plugins'), '[].\n');
  await writeFile(path.join(folder, 'rabbitmq.conf'), settings);

  // Erlang would start this name server itself, as a daemon that nobody ends.
  const epmd = spawnProcess('epmd', programs.epmd, ['-port', String(epmdPort), '-address', '127.0.0.1'], env);
  await epmd.answers(() => accepts(epmdPort));

  const url = `amqp://guest:guest@127.0.0.1:${String(port)}`;
  const service = await runService({
    url,
    folder,
    start: async () => {
      const rabbitmq = spawnProcess('rabbitmq-server', programs.server, [], env);
      await rabbitmq.answers(async () => {
        await accepts(port);
        const connection = await connect(url);
        await connection.close();
      });
      return rabbitmq;
    },
    after: () => epmd.stop(),
  });
  const ctl = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(programs.ctl, ['--quiet', ...args], { env });
    return stdout;
  };
  return Object.defineProperties({ ctl } as Rabbitmq, Object.getOwnPropertyDescriptors(service));
}

/** The whole environment of the node: no setting of the user or of /etc/rabbitmq takes part. */
function environment(folder: string, port: number, distributionPort: number, epmdPort: number) {
  const loopback = '-kernel inet_dist_use_interface {127,0,0,1}';
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    // The Erlang cookie is made in it.
    HOME: folder,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `${path.basename(folder)}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: loopback,
    RABBITMQ_CTL_ERL_ARGS: loopback,
    RABBITMQ_CONF_ENV_FILE: path.join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: path.join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, 'enabled_plugins'),
    RABBITMQ_GENERATED_CONFIG_DIR: path.join(folder, 'config'),
    RABBITMQ_SCHEMA_DIR: path.join(folder, 'schema'),
    RABBITMQ_MNESIA_BASE: path.join(folder, 'data'),
    RABBITMQ_LOG_BASE: path.join(folder, 'log'),
    RABBITMQ_PID_FILE: path.join(folder, 'pid'),
    // Makes the script become the Erlang process instead of waiting for it, so that signals reach the node.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

function accepts(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.end();
      resolve();
    });
    socket.once('error', reject);
  });
}
