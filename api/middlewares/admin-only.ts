import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import { type Request, type RequestHandler } from 'express';
import { Problem } from '../problems.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Lets through who holds the admin key as a bearer token (RFC 6750). Without a key configured: who sits on this
 * machine, judged by the socket's own address, and not through a proxy, which would make everyone look local; nor as a
 * page of another site that is open in a browser here.
 */
export function adminOnly(adminKey: string | undefined): RequestHandler {
  const allowed = adminKey === undefined ? isLocal : bearerIs(adminKey);
  return (req, res, next) => {
    if (!allowed(req)) {
      res.set('WWW-Authenticate', 'Bearer');
      const how =
        adminKey === undefined
          ? 'Set ADMIN_KEY to read from elsewhere.'
          : 'Send Authorization: Bearer <ADMIN_KEY>.';
      throw new Problem('unauthorized', how);
    }
    next();
  };
}

function bearerIs(adminKey: string): (req: Request) => boolean {
  const expected = digest(adminKey);
  return (req) => {
    const [, token = ''] = /^Bearer +(.+)$/i.exec(req.get('authorization') ?? '') ?? [];
    return timingSafeEqual(digest(token), expected);
  };
}

/** Digests are of one length, so that comparing them tells nothing about the length of the key. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isLocal(req: Request): boolean {
  const address = req.socket.remoteAddress ?? '';
  const proxied = req.get('x-forwarded-for') !== undefined || req.get('forwarded') !== undefined;
  return (
    !proxied &&
    isLocalOrigin(req.get('origin')) &&
    address !== '' &&
    loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  );
}

function isLocalOrigin(origin: string | undefined): boolean {
  if (origin === undefined) return true;
  const { hostname } = URL.canParse(origin) ? new URL(origin) : { hostname: '' };
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
