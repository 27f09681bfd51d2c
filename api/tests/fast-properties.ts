import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { createHttpServer } from '../http-server.ts';
import { ACTIVITIES, activity, createTestApi } from './support.ts';

/** Run by itself: tells how V8 keeps the requests and responses of a server that has answered some. */
async function main(): Promise<void> {
  setFlagsFromString('--allow-natives-syntax');
  // Only what is compiled from here on knows the syntax.
  const hasFastProperties = runInThisContext('(value) => %HasFastProperties(value)') as (
    value: object,
  ) => boolean;
  const { app } = createTestApi();
  const server = createHttpServer({}, app);
  const seen = { requests: [] as boolean[], responses: [] as boolean[] };
  server.on('request', (req, res) => {
    res.on('finish', () => {
      seen.requests.push(hasFastProperties(req));
      seen.responses.push(hasFastProperties(res));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${ACTIVITIES}`;
  const body = JSON.stringify(activity());
  for (let count = 0; count < 50; count += 1) {
    const response = await fetch(url, { method: 'POST', body });
    await response.arrayBuffer();
  }
  server.close();
  server.closeAllConnections();
  process.stdout.write(JSON.stringify(seen));
}

void main();
