// Looks at a broker's queues and at what a user may do there.
import type { Channel, ChannelModel } from "amqplib";
import { ended } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";
import { NO_QUEUE } from "./topology.ts";

export interface Depth {
  readonly ready: number;
  readonly consumers: number;
}

/**
 * A queue's ready messages and consumers, by passive declaration; undefined if the queue does not
 * exist.
 */
export async function depth(
  connection: BrokerConnection,
  queue: string,
): Promise<Depth | undefined> {
  const { model } = connection;
  if (!model) throw new BrokerUnavailable(`no connection to the broker of ${connection.region}`);
  let looks = LOOKS.get(model);
  if (!looks) {
    looks = new Looks(connection.runtime, model);
    LOOKS.set(model, looks);
  }
  return looks.depth(queue);
}

const LOOKS = new WeakMap<ChannelModel, Looks>();

/**
 * The looks over one connection share a channel, since opening and closing one costs the broker
 * more than the look. They take turns: a queue that does not exist ends the channel, and with it
 * every other look that waits there.
 */
class Looks {
  private channel: Channel | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly runtime: Runtime,
    private readonly model: ChannelModel,
  ) {}

  depth(queue: string): Promise<Depth | undefined> {
    const look = this.turn.then(() => this.check(queue));
    this.turn = ended(look);
    return look;
  }

  private async check(queue: string): Promise<Depth | undefined> {
    const channel = this.channel ?? (await this.open());
    try {
      const { messageCount, consumerCount } = await answered(
        this.runtime,
        this.model,
        channel.checkQueue(queue),
      );
      return { ready: messageCount, consumers: consumerCount };
    } catch (error) {
      this.channel = undefined;
      if ((error as { code?: number }).code === 404) return undefined;
      throw error;
    }
  }

  private async open(): Promise<Channel> {
    const channel = await answered(this.runtime, this.model, this.model.createChannel());
    channel.on("error", () => undefined); // the rejection of the look reports it
    channel.on("close", () => {
      if (this.channel === channel) this.channel = undefined;
    });
    this.channel = channel;
    return channel;
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
    throw new BrokerUnavailable(`no connection to the broker of ${connection.region}`);
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
    throw new BrokerUnavailable(`no connection to the broker of ${connection.region}`);
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
