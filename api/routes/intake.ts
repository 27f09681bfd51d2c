import cors from 'cors';
import { type RequestHandler } from 'express';
import { type ApiConfig } from '../config.ts';
import { jsonBody } from '../middlewares/json-body.ts';

const EXPOSED_HEADERS = ['RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Request-Id'];

export interface Intake {
  /** Tells a browser that asks beforehand whether its page may send events. */
  open: RequestHandler;
  /** What stands before every route that takes events, in this order. */
  intake: RequestHandler[];
}

export function createIntake(config: ApiConfig, limit: RequestHandler): Intake {
  const allow = cors({
    origin: config.CORS_ORIGIN,
    methods: 'POST',
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
  });
  // The headers are for browsers, which always say from where they come.
  const open: RequestHandler = (req, res, next) =>
    req.headers.origin === undefined ? next() : allow(req, res, next);
  // The limit stands before the body, so that a refused request costs no reading and no inflating.
  return { open: allow, intake: [open, limit, jsonBody(config.BODY_BYTES_MAX)] };
}
