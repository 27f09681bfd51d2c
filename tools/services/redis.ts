import net from 'node:net';
import { spawnProcess } from './child.ts';
import { findRedis } from './find.ts';
import { freePort } from './free-port.ts';
import { runService, temporaryFolder, type Service } from './service.ts';

/** Starts a Redis of one's own that keeps nothing on disk: `restart` brings it back empty. */
export async function startRedis(): Promise<Service> {
  const server = findRedis();
  const port = await freePort();
  const folder = await temporaryFolder('redis');
  const args = `--port ${String(port)} --bind 127.0.0.1 --daemonize no --appendonly no`.split(' ');
  // Redis refuses to start with a LANG that the system has no locale for.
  const env = { ...process.env, LC_ALL: 'C' };
  return runService({
    url: `redis://127.0.0.1:${String(port)}`,
    folder,
    start: async () => {
      const redis = spawnProcess('redis-server', server, [...args, '--save', '', '--dir', folder], env);
      await redis.answers(() => pong(port));
      return redis;
    },
  });
}

function pong(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (reply) => {
      socket.end();
      if (reply.toString().startsWith('+PONG')) resolve();
      else reject(new Error(reply.toString()));
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}
