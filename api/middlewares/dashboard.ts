import { existsSync } from 'node:fs';
import path from 'node:path';
import { type RequestHandler } from 'express';
import helmet from 'helmet';
import sirv from 'sirv';
import { Problem } from '../problems.ts';
import { insteadOfHeaders } from '../header-text.ts';

/** Everything on the page comes from here, as a file; nothing may stand in the page itself. */
const POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
};

/** The files of the dashboard, as its build has left them: read once, and compressed already. */
export function dashboard(folder: string): RequestHandler {
  if (!existsSync(path.join(folder, 'index.html'))) return notBuilt;
  const setSecurityHeaders = insteadOfHeaders(helmet({ contentSecurityPolicy: POLICY }));
  const files = sirv(folder, {
    brotli: true,
    gzip: true,
    setHeaders: (res, pathname) => {
      setSecurityHeaders(res);
      // The build names its assets by what is in them; the page that names them is asked for each time.
      const isAsset = pathname.startsWith('/assets/');
      res.setHeader('Cache-Control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  return (req, res, next) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return next();
    // The files are small. A part of one would only be another way to ask for what is not there.
    delete req.headers.range;
    files(req, res, next);
  };
}

const notBuilt: RequestHandler = (req, _res, next) => {
  if (req.path !== '/') return next();
  throw new Problem('not-found', 'The dashboard is not built: run `npm run build` and start the API again.');
};
