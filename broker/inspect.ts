import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";
import { NO_QUEUE } from "./topology.ts";

/**
 * A queue's ready messages and consumers, by passive declaration on a temporary channel; undefined
 * if the queue does not exist.
 */
export async function depth(
  connection: BrokerConnection,
  queue: string,
): Promise<{ ready: number; consumers: number } | undefined> {
  const { model } = connection;
  if (!model) throw new BrokerUnavailable(`region '${connection.region}' is not connected`);
  const channel = await answered(connection.runtime, model, model.createChannel());
  channel.on("error", () => undefined); // the rejection below reports it
  try {
    const { messageCount, consumerCount } = await answered(
      connection.runtime,
      model,
      channel.checkQueue(queue),
    );
    await closeChannel(connection.runtime, channel);
    return { ready: messageCount, consumers: consumerCount };
  } catch (error) {
    if ((error as { code?: number }).code === 404) return undefined;
    throw error;
  }
}

/** A queue's leader that is busy answers within a few of these. */
const ASK_AGAIN_MS = 300;
const ASK_TIMES = 4;

/**
 * depth(), asked again while the queue looks empty and without consumers. It also looks so when its
 * leader does not answer within a quarter of a second.
 */
export async function depthForSure(
  connection: BrokerConnection,
  queue: string,
): ReturnType<typeof depth> {
  for (let left = ASK_TIMES; ; left--) {
    const seen = await depth(connection, queue);
    if (!seen || left === 1 || seen.ready > 0 || seen.consumers > 0) return seen;
    await connection.runtime.sleep(ASK_AGAIN_MS);
  }
}

/**
 * Whether this connection's user may publish to an exchange. No binding has the key, so nothing is
 * delivered.
 */
export async function mayWrite(connection: BrokerConnection, exchange: string): Promise<boolean> {
  if (!connection.model)
    throw new BrokerUnavailable(`region '${connection.region}' is not connected`);
  const { model, runtime } = connection;
  const channel = await answered(runtime, model, model.createConfirmChannel());
  const { promise, resolve } = Promise.withResolvers<boolean>();
  channel.on("error", () => resolve(false));
  channel.on("close", () => resolve(false));
  channel.publish(exchange, NO_QUEUE, Buffer.alloc(0), { mandatory: true }, () => resolve(true));
  const may = await answered(runtime, model, promise);
  if (may) await closeChannel(connection.runtime, channel);
  return may;
}

/** Whether this connection's user may declare, and so delete, an existing exchange of `type`. */
export async function mayConfigure(
  connection: BrokerConnection,
  { name, type }: { readonly name: string; readonly type: string },
): Promise<boolean> {
  if (!connection.model)
    throw new BrokerUnavailable(`region '${connection.region}' is not connected`);
  const { model, runtime } = connection;
  const channel = await answered(runtime, model, model.createChannel());
  // The channel ends with the refusal, which the call below reports too.
  channel.on("error", () => undefined);
  try {
    await answered(runtime, model, channel.assertExchange(name, type));
    await closeChannel(connection.runtime, channel);
    return true;
  } catch {
    return false;
  }
}
