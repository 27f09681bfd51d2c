import { createRequire } from 'node:module';
import path from 'node:path';

/** A mutant: the broker may confirm a message that it could route to no queue. */
type SendToQueue = (queue: string, content: Buffer, options: object, confirmed: unknown) => boolean;

const lib = path.dirname(createRequire(__filename).resolve('amqplib'));
const { ConfirmChannel } = createRequire(__filename)(path.join(lib, 'lib', 'channel_model.js')) as {
  ConfirmChannel: { prototype: { sendToQueue: SendToQueue } };
};
const { sendToQueue } = ConfirmChannel.prototype;
ConfirmChannel.prototype.sendToQueue = function (this: unknown, queue, content, options, confirmed) {
  return sendToQueue.call(this, queue, content, { ...options, mandatory: false }, confirmed);
};
