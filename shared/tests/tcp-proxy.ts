import net from 'node:net';

/** Stands between a client and a server on 127.0.0.1, so that their connection can be broken without ending either. */
export interface TcpProxy {
  /** The server's URL by way of this proxy. */
  readonly url: string;
  /** Ends every connection and refuses new ones, as when the server or its machine is gone. */
  cut(): Promise<void>;
  /** Keeps connections open and passes nothing on, as when the server hangs. */
  hang(): void;
  /** Passes everything on again. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const [address = '', serverPort = ''] = /127\.0\.0\.1:(\d+)/.exec(serverUrl) ?? [];
  const sockets = new Set<net.Socket>();
  let hanging = false;

  const server = net.createServer({ pauseOnConnect: true }, (client) => {
    const upstream = net.connect(Number(serverPort), '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('data', (bytes) => to.write(bytes));
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (hanging) from.pause();
      else from.resume();
    }
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });

  await listen(0);
  const { port } = server.address() as net.AddressInfo;
  return {
    url: serverUrl.replace(address, `127.0.0.1:${port}`),
    cut,
    hang() {
      hanging = true;
      for (const socket of sockets) socket.pause();
    },
    async restore() {
      hanging = false;
      if (!server.listening) await listen(port);
      for (const socket of sockets) socket.resume();
    },
    close: cut,
  };
}
