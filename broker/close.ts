// Closes a channel or a connection, and always finishes: amqplib's own promise never settles when
// the connection is lost before the broker has answered, or while a broker under an alarm does not
// read.
import type { Channel, ChannelModel } from "amqplib";
import type { Runtime } from "../core/runtime/runtime.ts";

/**
 * An answer takes milliseconds; after this no answer will come. Well below a lease, because a
 * worker that releases a shard waits here.
 */
export const CLOSE_TIMEOUT_MS = 2_000;

/** Whether the broker answered. If not, it may still keep the channel's messages. */
export async function closeChannel(runtime: Runtime, channel: Channel): Promise<boolean> {
  return answered(runtime, channel);
}

/**
 * Without an answer the socket is closed, so that the broker requeues this connection's messages.
 */
export async function closeConnection(runtime: Runtime, model: ChannelModel): Promise<void> {
  if (!(await answered(runtime, model)))
    dropConnection(model, "closing the connection had no answer");
}

/** Closes the socket at once, without notifying the broker. */
export function dropConnection(model: ChannelModel, why: string): void {
  const { stream } = model.connection as unknown as { stream: { destroy(error: Error): void } };
  stream.destroy(new Error(why));
}

/** Whether it closed in time. */
async function answered(runtime: Runtime, open: Channel | ChannelModel): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = runtime.startTimer(() => resolve(false), CLOSE_TIMEOUT_MS);
  open.once("close", () => resolve(true));
  open.close().then(
    () => resolve(true),
    () => resolve(true), // already closed
  );
  const closed = await promise;
  runtime.stopTimer(timer);
  return closed;
}
