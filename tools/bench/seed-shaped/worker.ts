/** The worker as projects of this kind are usually built: one message at a time, saved by Mongoose, then acknowledged. */
import { connect } from 'amqplib';
import mongoose from 'mongoose';

const { RABBITMQ_URL = '', DATABASE_URL = '', QUEUE_NAME = '' } = process.env;

/** No index but that of `_id`. */
const schema = new mongoose.Schema({
  userId: { type: String, required: true },
  eventType: { type: String, required: true },
  timestamp: { type: Date, required: true },
  payload: { type: mongoose.Schema.Types.Mixed, required: true },
  receivedAt: { type: Date },
  processedAt: { type: Date, default: Date.now },
});
const Activity = mongoose.model('Activity', schema);

async function main(): Promise<void> {
  await mongoose.connect(DATABASE_URL);
  const connection = await connect(RABBITMQ_URL);
  const channel = await connection.createChannel();
  await channel.assertQueue(QUEUE_NAME, { durable: true });
  await channel.prefetch(1);
  await channel.consume(QUEUE_NAME, (message) => {
    if (message === null) return;
    new Activity(JSON.parse(message.content.toString()) as object).save().then(
      () => channel.ack(message),
      () => channel.nack(message),
    );
  });
  console.log('consuming');
}

void main();
