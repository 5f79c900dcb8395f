// amqplib writes each frame to the socket separately, and on Bun each write is a system call.
// Corked until the end of the tick, all frames of the tick leave in one write: 200 small publishes
// take 1 instead of 200.

import type { Duplex } from "node:stream";
import type { ChannelModel } from "amqplib";

export function corkPerTick(model: ChannelModel): void {
  const { stream } = model.connection as unknown as { stream: Duplex };
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let corked = false;
  const uncork = () => {
    corked = false;
    stream.uncork();
  };
  stream.write = ((...args: unknown[]) => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    return write(...args);
  }) as typeof stream.write;
}
