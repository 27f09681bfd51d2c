import { type IncomingMessage, ServerResponse } from 'node:http';
import { type Express } from 'express';

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** Sets the same headers on every response; those of a later call stand in for those of an earlier one. */
export type SetHeaders = (res: ServerResponse) => void;

const TEXT = Symbol('constant headers');
type Response = ServerResponse & { [TEXT]?: string };
type StoreHeader = (this: Response, statusLine: string, headers: unknown) => void;

/** What sets the headers of a middleware that sets the same ones for every request; it is asked once. */
export function constantHeaders(middleware: Middleware): SetHeaders {
  const response = new ServerResponse({} as IncomingMessage);
  middleware({} as IncomingMessage, response, () => undefined);
  const headers = Object.entries(response.getHeaders()) as [string, string][];
  const text = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return (res: Response) => {
    if (res[TEXT] !== undefined) res[TEXT] = text;
    else for (const [name, value] of headers) res.setHeader(name, value);
  };
}

/**
 * Has the responses of an app take constant headers as one text, which node:http would check, keep and write one by one
 * otherwise: a tenth of a request's time. It leans on `_storeHeader`, by which node:http puts the head of a response
 * together from its status line on. Should that be gone, the headers are set one by one.
 */
export function writeConstantHeadersAtOnce({ response }: Express): void {
  const { _storeHeader } = ServerResponse.prototype as unknown as { _storeHeader?: StoreHeader };
  if (typeof _storeHeader !== 'function') return;
  const storeHeader: StoreHeader = function (statusLine, headers) {
    _storeHeader.call(this, statusLine + this[TEXT], headers);
  };
  Object.assign(response, { [TEXT]: '', _storeHeader: storeHeader });
}
