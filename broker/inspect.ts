import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";

/** Messages ready and consumers of a queue, by passive declaration on a throw-away channel; undefined when there is no such queue. */
export async function depth(
  connection: BrokerConnection,
  queue: string,
): Promise<{ ready: number; consumers: number } | undefined> {
  const { model } = connection;
  if (!model) throw new BrokerUnavailable(`region '${connection.region}' is not connected`);
  const channel = await answered(model, model.createChannel());
  channel.on("error", () => undefined); // the rejection below says it
  try {
    const { messageCount, consumerCount } = await answered(model, channel.checkQueue(queue));
    await closeChannel(channel);
    return { ready: messageCount, consumers: consumerCount };
  } catch (error) {
    if ((error as { code?: number }).code === 404) return undefined;
    throw error;
  }
}
