import { createRequire } from 'node:module';
import path from 'node:path';

/** A mutant: the worker acknowledges a message when it comes, not when its events are stored. */
interface Channel {
  consume: (this: Channel, queue: string, handle: (message: unknown) => void) => Promise<unknown>;
  ack: (this: Channel, message: unknown) => void;
  nack: () => void;
}
interface ChannelModel {
  createChannel: (this: ChannelModel) => Promise<Channel>;
}

const lib = path.dirname(createRequire(__filename).resolve('amqplib'));
const { ChannelModel } = createRequire(__filename)(path.join(lib, 'lib', 'channel_model.js')) as {
  ChannelModel: { prototype: ChannelModel };
};
const { createChannel } = ChannelModel.prototype;
ChannelModel.prototype.createChannel = async function (this: ChannelModel) {
  const channel = await createChannel.call(this);
  const { consume, ack } = channel;
  channel.consume = (queue, handle) =>
    consume.call(channel, queue, (message) => {
      if (message !== null) ack.call(channel, message);
      handle(message);
    });
  // A message must not be acknowledged twice.
  channel.ack = () => undefined;
  channel.nack = () => undefined;
  return channel;
};
