/**
 * The HTTP part of an API alone, in steps, so that each gain is seen by itself: STEP is the last of the steps that are
 * taken. The answer is always 202 with the same few bytes of JSON.
 */
import { createServer, IncomingMessage, type ServerOptions, ServerResponse } from 'node:http';
import express, { type Express, type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import Joi from 'joi';
import { RedisStore } from 'rate-limit-redis';
import { type Step, STEPS } from './steps.ts';

const { API_PORT, REDIS_URL = '', STEP = '' } = process.env;
const has = (step: Step) => STEPS.indexOf(STEP as Step) >= STEPS.indexOf(step);

const ANSWER = '{"status":"accepted","eventId":"0190163d-8694-739b-aea5-966c26f8ad91"}';

const schema = Joi.object({
  userId: Joi.string().max(256).required(),
  eventType: Joi.string().max(128).required(),
  timestamp: Joi.string().isoDate().required(),
  payload: Joi.object().unknown().default({}),
});

/** Knows only the plainest events; Joi decides over the others. */
function isPlain(body: Record<string, unknown>): boolean {
  const { userId, eventType, timestamp, payload, ...others } = body;
  return (
    isText(userId, 256) &&
    isText(eventType, 128) &&
    typeof timestamp === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(timestamp) &&
    !Number.isNaN(Date.parse(timestamp)) &&
    typeof payload === 'object' &&
    payload !== null &&
    Object.keys(others).length === 0
  );
}

const isText = (value: unknown, lengthMax: number) =>
  typeof value === 'string' && value.length > 0 && value.length <= lengthMax;

function createApp(): Express {
  const app = express();
  if (has('constant headers')) {
    app.disable('etag');
    app.disable('x-powered-by');
    app.use(constantHelmet());
  } else if (has('helmet, Joi, Redis limiter')) app.use(helmet());
  if (has('helmet, Joi, Redis limiter')) app.use(limiter());
  app.use(express.json());
  app.get('/health/ready', (_req, res) => void res.end());
  app.post('/api/v1/activities', (req, res) => {
    const body = req.body as Record<string, unknown>;
    if (has('guard before Joi') && isPlain(body)) return accept(res);
    if (has('helmet, Joi, Redis limiter') && schema.validate(body).error) return void res.status(400).end();
    accept(res);
  });
  return app;
}

function accept(res: express.Response): void {
  if (has('constant headers')) {
    res.writeHead(202, { 'Content-Type': 'application/json', 'Content-Length': ANSWER.length }).end(ANSWER);
  } else res.status(202).json(JSON.parse(ANSWER));
}

/** Helmet's headers depend on nothing: they are taken from it once. */
function constantHelmet(): RequestHandler {
  const headers = new Map<string, string>();
  const recorder = {
    setHeader: (name: string, value: string) => headers.set(name, value),
    removeHeader: () => undefined,
  };
  helmet()({} as never, recorder as never, () => undefined);
  const constant = [...headers];
  return (_req, res, next) => {
    for (const [name, value] of constant) res.setHeader(name, value);
    next();
  };
}

function limiter(): RequestHandler {
  const redis = new Redis(REDIS_URL, { enableAutoPipelining: has('auto-pipelining') });
  return rateLimit({
    windowMs: 60_000,
    limit: 1_000_000_000,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store: new RedisStore({
      sendCommand: (command, ...args) => redis.call(command, ...args) as Promise<number>,
    }),
  });
}

/** Express sets the prototype of each request and response, which is slow; with these it finds it set already. */
function serverClasses(app: Express): ServerOptions {
  function Request(this: object, ...args: unknown[]) {
    (IncomingMessage as unknown as Constructor).apply(this, args);
  }
  function Response(this: object, ...args: unknown[]) {
    (ServerResponse as unknown as Constructor).apply(this, args);
  }
  Request.prototype = app.request;
  Response.prototype = app.response;
  return { IncomingMessage: Request, ServerResponse: Response } as unknown as ServerOptions;
}

type Constructor = (...args: unknown[]) => void;

function bare(): ReturnType<typeof createServer> {
  const head = { 'Content-Type': 'application/json', 'Content-Length': ANSWER.length };
  return createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'POST') JSON.parse(Buffer.concat(chunks).toString());
      response.writeHead(request.method === 'POST' ? 202 : 200, head).end(ANSWER);
    });
  });
}

const app = createApp();
const server =
  STEP === 'node:http'
    ? bare()
    : has('prototypes')
      ? createServer(serverClasses(app), app)
      : createServer(app);
server.listen(Number(API_PORT));
