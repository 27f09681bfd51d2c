/**
 * The least that an API with our promise can do: node:http, JSON.parse, a persistent message, its confirm, 202. No
 * validation, limit or metrics. MESSAGES=each sends a message for each request; MESSAGES=shared one for all requests
 * of an event loop's turn.
 */
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'amqplib';

const { API_PORT, RABBITMQ_URL = '', QUEUE_NAME = '', MESSAGES } = process.env;
const ANSWER = '{"status":"accepted"}';
const HEAD = { 'Content-Type': 'application/json', 'Content-Length': ANSWER.length };

async function main(): Promise<void> {
  const connection = await connect(RABBITMQ_URL, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE_NAME, { durable: true });

  let events: unknown[] = [];
  let answers: ServerResponse[] = [];

  function publish(content: unknown, waiting: ServerResponse[]): void {
    const body = Buffer.from(JSON.stringify(content));
    channel.sendToQueue(QUEUE_NAME, body, { persistent: true, mandatory: true }, (error) => {
      for (const response of waiting) response.writeHead(error ? 503 : 202, HEAD).end(ANSWER);
    });
  }

  function flush(): void {
    publish(events, answers);
    [events, answers] = [[], []];
  }

  function take(content: unknown, response: ServerResponse): void {
    if (MESSAGES === 'each') return publish(content, [response]);
    if (answers.length === 0) setImmediate(flush);
    events.push(content);
    answers.push(response);
  }

  createServer((request, response) => {
    if (request.method === 'GET') return void response.end();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => take(JSON.parse(Buffer.concat(chunks).toString()), response));
  }).listen(Number(API_PORT));
}

void main();
