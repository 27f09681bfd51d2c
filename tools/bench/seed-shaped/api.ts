/**
 * The API as projects of this kind are usually built: Express as it comes, Joi, and a publish that nobody waits for.
 * With CAREFUL=1 it also has helmet, a limiter in Redis, and answers only when the broker has confirmed the event.
 */
import { connect, type Channel, type ConfirmChannel } from 'amqplib';
import express, { type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import Joi from 'joi';
import { RedisStore } from 'rate-limit-redis';

const { API_PORT, RABBITMQ_URL = '', REDIS_URL = '', QUEUE_NAME = '', CAREFUL } = process.env;

const schema = Joi.object({
  userId: Joi.string().required(),
  eventType: Joi.string().required(),
  timestamp: Joi.string().isoDate().required(),
  payload: Joi.object().required(),
});

async function main(): Promise<void> {
  const connection = await connect(RABBITMQ_URL);
  const app = express();
  if (CAREFUL) {
    app.use(helmet());
    app.use(limiter());
  }
  app.use(express.json());
  app.get('/health/ready', (_req, res) => void res.json({ status: 'ok' }));
  const channel = await (CAREFUL ? connection.createConfirmChannel() : connection.createChannel());
  await channel.assertQueue(QUEUE_NAME, { durable: true });
  app.post('/api/v1/activities', track(channel));
  app.listen(Number(API_PORT));
}

function track(channel: Channel | ConfirmChannel): RequestHandler {
  return async (req, res) => {
    const { error, value } = schema.validate(req.body) as { error?: Error; value: object };
    if (error) return void res.status(400).json({ error: error.message });
    const body = Buffer.from(JSON.stringify({ ...value, receivedAt: new Date().toISOString() }));
    if (CAREFUL) {
      await new Promise<void>((resolve, reject) => {
        const confirmed = (fault: Error | null) => (fault ? reject(fault) : resolve());
        (channel as ConfirmChannel).sendToQueue(QUEUE_NAME, body, { persistent: true }, confirmed);
      });
    } else channel.sendToQueue(QUEUE_NAME, body, { persistent: true });
    res.status(202).json({ message: 'Event accepted' });
  };
}

function limiter(): RequestHandler {
  const redis = new Redis(REDIS_URL);
  return rateLimit({
    windowMs: 60_000,
    limit: 1_000_000_000,
    standardHeaders: true,
    legacyHeaders: false,
    store: new RedisStore({
      sendCommand: (command, ...args) => redis.call(command, ...args) as Promise<number>,
    }),
  });
}

void main();
