// Takes messages from a queue one by one, on request: for callers that come and go, which no
// subscription must keep messages for.
//
// 1. What is taken is acknowledged or goes back, in order. It also goes back if this process dies.
// 2. A pull is bounded in time, however far the broker is.
import type { Channel } from "amqplib";
import { countIgnored } from "../core/runtime/ignored.ts";
import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";

/** `reject`: the queue's dead letters get it. */
export type Taken = "more" | "enough" | "reject";

export interface Pulled {
  /** Acknowledges what was taken. */
  keep(): Promise<void>;
  giveBack(): Promise<void>;
}

/** Offers messages, oldest first, until `take` has enough, the queue is empty or time is up. */
export async function pull(
  connection: BrokerConnection,
  queue: string,
  take: (body: Buffer) => Taken,
  limitMs: number,
): Promise<Pulled> {
  const { model, runtime, region } = connection;
  if (!model) throw new BrokerUnavailable(`no connection to the broker of ${region}`);
  const channel = await answered(runtime, model, model.createChannel());
  channel.on("error", () => undefined); // a rejection below reports it
  const endMs = runtime.monotonicMs() + limitMs;
  let taken = 0;
  try {
    for (let next: Taken = "more"; next !== "enough" && runtime.monotonicMs() < endMs; ) {
      const message = await answered(runtime, model, channel.get(queue));
      if (!message) break;
      next = take(message.content);
      if (next === "reject") channel.nack(message, false, false);
      else taken++;
    }
  } catch (error) {
    await closeChannel(runtime, channel);
    throw error;
  }
  return pulled(connection, channel, taken);
}

function pulled({ runtime }: BrokerConnection, channel: Channel, taken: number): Pulled {
  const giveBack = async () => {
    await closeChannel(runtime, channel);
  };
  const keep = async () => {
    try {
      if (taken > 0) channel.ackAll();
    } catch {
      countIgnored("ack"); // the channel has closed: the messages come again
    }
    await giveBack();
  };
  return { keep, giveBack };
}
