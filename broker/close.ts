// Closes a channel or a connection, and comes to an end whatever happens: amqplib's own promise
// never settles when the connection is lost before the broker has answered, nor while a broker
// under an alarm does not read.
import type { Channel, ChannelModel } from "amqplib";
import type { Runtime } from "../core/runtime/runtime.ts";

/**
 * An answer takes milliseconds; past this nobody is there to give one. Well below a lease, whose
 * holder waits here when it lets go.
 */
export const CLOSE_TIMEOUT_MS = 2_000;

/** Whether the broker has answered. If not, it may hold on to what the channel had. */
export async function closeChannel(runtime: Runtime, channel: Channel): Promise<boolean> {
  return answered(runtime, channel);
}

/** Without an answer the socket goes, so that the broker takes back what this connection held. */
export async function closeConnection(runtime: Runtime, model: ChannelModel): Promise<void> {
  if (!(await answered(runtime, model)))
    dropConnection(model, "the closing of the connection had no answer");
}

/** At once, without a word to the broker. */
export function dropConnection(model: ChannelModel, why: string): void {
  const { stream } = model.connection as unknown as { stream: { destroy(error: Error): void } };
  stream.destroy(new Error(why));
}

/** Whether it is closed; false when the time is over. */
async function answered(runtime: Runtime, open: Channel | ChannelModel): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = runtime.startTimer(() => resolve(false), CLOSE_TIMEOUT_MS);
  open.once("close", () => resolve(true));
  open.close().then(
    () => resolve(true),
    () => resolve(true), // it was closed already
  );
  const closed = await promise;
  runtime.stopTimer(timer);
  return closed;
}
