import { connect, type Socket } from 'node:net';

/** A connection on which anything can be said. */
export interface RawConnection {
  socket: Socket;
  /** All that has come back so far, byte by byte. */
  received: () => string;
  closed: Promise<void>;
}

export function openRaw(port: number): RawConnection {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => void socket.on('close', () => resolve()));
  return { socket, received: () => text, closed };
}

/** Writes text to a connection of its own and resolves to all that comes back until the server closes it. */
export async function exchange(port: number, text: string | Buffer): Promise<string> {
  const { socket, received, closed } = openRaw(port);
  socket.write(text);
  await closed;
  return received();
}

/** The status codes of the answers in what came back, in their order. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/^HTTP\/1\.1 (\d{3})(?: |\r)|(?<=\})HTTP\/1\.1 (\d{3}) /gm)].map(([, a, b]) =>
    Number(a ?? b),
  );
}
