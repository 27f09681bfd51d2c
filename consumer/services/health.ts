import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { ConfigurationError } from '@event-tracker/shared/errors';
import { type Readiness } from '@event-tracker/shared/readiness';
import { exposeMetrics, workerRegistry } from './metrics.ts';

const REQUEST_TIMEOUT_MS = 5000;

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves liveness, readiness and metrics. Rejects with ConfigurationError when the port cannot be had. */
export async function openHealthServer(port: number, readiness: Readiness): Promise<HealthServer> {
  async function answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.split('?', 1)[0];
    if (path !== '/health' && path !== '/health/ready' && path !== '/metrics')
      return send(response, 404, { status: 'not found' });
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return send(response, 405, { status: 'method not allowed' });
    }
    if (path === '/health') return send(response, 200, { status: 'ok' });
    const report = await readiness.report();
    if (path === '/metrics') {
      const metrics = await exposeMetrics(report.checks);
      return sendText(response, 200, metrics, workerRegistry.contentType);
    }
    send(response, report.status === 'ready' ? 200 : 503, report);
  }

  const server = createServer(
    // The two timeouts are looked at this often.
    {
      connectionsCheckingInterval: 1000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => void answer(request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(portError(port, error)));
    server.listen(port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, status: number, body: object): void {
  sendText(response, status, JSON.stringify(body), 'application/json');
}

function sendText(response: ServerResponse, status: number, text: string, type: string): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}

function portError(port: number, { code, message }: NodeJS.ErrnoException): ConfigurationError {
  const reason = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be opened (${message})`;
  return new ConfigurationError(
    `CONSUMER_PORT: port ${port} ${reason}; set another one, or 0 for a free one`,
  );
}
