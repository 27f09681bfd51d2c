import { createServer, IncomingMessage, type Server, type ServerOptions, ServerResponse } from 'node:http';
import { type Express } from 'express';

/**
 * An HTTP server whose requests and responses are born with the prototypes of the app. Express gives each of them that
 * prototype otherwise, and an object whose prototype has changed is slow in everything that is done with it from then
 * on. Express still sets the prototype, and finds nothing to do. docs/where-the-time-goes.md has the gain.
 */
export function createHttpServer(options: ServerOptions, app: Express): Server {
  const classes = {
    IncomingMessage: withPrototype(IncomingMessage, app.request),
    ServerResponse: withPrototype(ServerResponse, app.response),
  };
  return createServer({ ...options, ...classes }, app);
}

/**
 * A constructor of the same objects with another prototype. It leans on Node's constructors being functions that can be
 * called; `Reflect.construct`, which takes classes as well, makes objects that are slower than those of plain Express.
 * Should Node make classes of them, they are left as they are: slower, and right.
 */
function withPrototype<T extends typeof IncomingMessage | typeof ServerResponse>(
  Base: T,
  prototype: object,
): T {
  if (Function.prototype.toString.call(Base).startsWith('class')) return Base;
  const construct = Base as unknown as (this: object, first: unknown, second: unknown) => void;
  function Derived(this: object, first: unknown, second: unknown): void {
    construct.call(this, first, second);
  }
  Derived.prototype = prototype;
  // V8 gives a new object room for what its constructor and those above it assign; without it, each request and response
  // became a dictionary as it was made, and an event took 57 us in place of 51.
  Object.setPrototypeOf(Derived, Base);
  return Derived as unknown as T;
}
