import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";

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

const NO_QUEUE = "sluice.no-such-queue";

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
