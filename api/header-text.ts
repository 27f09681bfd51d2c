import { type IncomingMessage, ServerResponse } from 'node:http';
import { type Express } from 'express';

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;
type StoreHeader = (this: Response, statusLine: string, headers: unknown) => void;

const TEXT = Symbol('header text');
/** Headers as they are to stand on the wire, a line each. */
type Response = ServerResponse & { [TEXT]?: string };

/**
 * Has every response of an app begin with the headers that a middleware sets on each alike, and take others with
 * `writeHeader`. node:http checks, keeps and writes each header by itself, which for those of helmet takes a tenth of a
 * request's time. This leans on `_storeHeader`, by which it puts the head of a response together from the status line
 * on; where that is gone, headers are set in the usual way.
 */
export function beginWithHeaders(app: Express, middleware: Middleware): void {
  const { _storeHeader } = ServerResponse.prototype as unknown as { _storeHeader?: StoreHeader };
  if (typeof _storeHeader !== 'function') {
    app.use(middleware);
    return;
  }
  const storeHeader: StoreHeader = function (statusLine, headers) {
    _storeHeader.call(this, statusLine + this[TEXT], headers);
  };
  Object.assign(app.response, { [TEXT]: textOf(headersOf(middleware)), _storeHeader: storeHeader });
}

/** What sets the headers of such a middleware in place of those that every response begins with. */
export function insteadOfHeaders(middleware: Middleware): (res: ServerResponse) => void {
  const headers = headersOf(middleware);
  const text = textOf(headers);
  return (res: Response) => {
    // Behind those of every response stand others by now, such as the request's id.
    const { length } = (Object.getPrototypeOf(res) as Response)[TEXT] ?? '';
    if (res[TEXT] !== undefined) res[TEXT] = text + res[TEXT].slice(length);
    else for (const [name, value] of headers) res.setHeader(name, value);
  };
}

/** Sets a header that no one else sets or reads. The value must be known to hold nothing but printable ASCII. */
export function writeHeader(res: Response, name: string, value: string): void {
  if (res[TEXT] === undefined) res.setHeader(name, value);
  else res[TEXT] += `${name}: ${value}\r\n`;
}

function headersOf(middleware: Middleware): [string, string][] {
  const response = new ServerResponse({} as IncomingMessage);
  middleware({} as IncomingMessage, response, () => undefined);
  return Object.entries(response.getHeaders()) as [string, string][];
}

function textOf(headers: [string, string][]): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
