// Consumes one queue on a channel of its own. The handler decides what becomes of a message.
//
// 1. Nothing is requeued: unacknowledged messages come back, in order, when the channel closes.
// 2. A delivery is settled only on the channel it came by; later settling has no effect.
// 3. Unless consumers compete, acknowledgements follow the order of delivery.
// 4. A dead letter's source is settled only after its copy is confirmed.
// 5. A closed subscription leaves no consumer behind that would block the queue.
// 6. Where messages have an order, a consumer ends only with its channel. The broker gives the next
//    consumer of a queue the messages that are ready as soon as this one is cancelled, but the
//    unacknowledged ones, which come first, return only when the channel closes.
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { countIgnored, ignore } from "../core/runtime/ignored.ts";
import type { Pacer } from "../core/runtime/pacer.ts";
import type { Runtime, Timer } from "../core/runtime/runtime.ts";
import { type Acks, OrderedAcks } from "./acks.ts";
import { answered } from "./answer.ts";
import { closeChannel, dropConnection } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import type { Publisher } from "./publisher.ts";

export interface Delivery {
  readonly body: Buffer;
  readonly messageId: string;
  readonly appId: string;
  readonly type: string;
  /** The queue for the answer; empty for none. */
  readonly replyTo: string;
  /** The publisher, verified by the broker; empty when the publisher gave none. */
  readonly userId: string;
  /** The exchange it was published to; empty for direct to the queue. */
  readonly exchange: string;
  /** For a redriven dead letter: the original publisher, as the operator states it. */
  readonly origin: string;
  /** How often it was delivered before (quorum queues count; others at least say whether). */
  readonly deliveries: number;
  /** The publisher's timestamp, Unix ms; 0 when it gave none. */
  readonly acceptedAtMs: number;
}

/**
 * `ack`: done. `dead`: a copy with the reason is published to the dead letters and confirmed, then
 * the message is acknowledged.
 */
export type Disposition = "ack" | { readonly kind: "dead"; readonly reason: string };

export interface SubscribeOptions {
  readonly queue: string;
  readonly prefetch: number;
  /** `live`: whether the delivery can still be settled; if not, it will come again. */
  readonly handler: (
    delivery: Delivery,
    settle: (disposition: Disposition) => void,
    live: () => boolean,
  ) => void;
  /**
   * The channel is gone (closed, connection lost): its deliveries will come again, and settling
   * them has no effect.
   */
  readonly onLost?: () => void;
  /** Where dead letters go; required if the handler returns `dead`. */
  readonly dead?: {
    readonly publisher: Publisher;
    readonly queue: string;
    /** Leads to that queue, and is published to instead; its bindings have no keys. */
    readonly exchange?: string;
  };
  /** Declares the queue exclusive, for this connection alone. */
  readonly exclusive?: boolean;
  /** A fanout exchange that an exclusive queue is bound to. */
  readonly bindTo?: string;
  /** Messages are settled in any order, as they finish: for competing consumers. */
  readonly independent?: boolean;
  /** When ordered acknowledgements are sent; absent: at the end of each event-loop turn. */
  readonly ackPacer?: Pacer;
  /** Without acknowledgements: for pushes. */
  readonly noAck?: boolean;
}

/** Header of a dead letter: the user that originally published it. */
export const ORIGIN = "x-origin-user";
const RESUBSCRIBE_MS = 500;
const DEAD_RETRY_MS = 1_000;

export class Subscription {
  private channel: Channel | undefined;
  private model: ChannelModel | undefined;
  private consumerTag: string | undefined;
  private acks: Acks | undefined;
  private quieted = false;
  private ended = false;
  private reopening: Timer | undefined;
  private readonly runtime: Runtime;
  private readonly attachment = (model: ChannelModel) => this.open(model);

  constructor(
    private readonly connection: BrokerConnection,
    private readonly options: SubscribeOptions,
  ) {
    this.runtime = connection.runtime;
  }

  /** Starts consuming, and resumes after every reconnect until closed. */
  async start(): Promise<this> {
    await this.connection.attach(this.attachment);
    return this;
  }

  get consuming(): boolean {
    return this.consumerTag !== undefined;
  }

  /** Its messages have an order, and come back if they are not acknowledged. */
  private get ordered(): boolean {
    const { independent = false, noAck = false } = this.options;
    return !independent && !noAck;
  }

  /** Stops new deliveries; those in flight can still be settled. */
  async quiet(): Promise<void> {
    this.quieted = true;
    this.connection.detach(this.attachment);
    const { channel, model, consumerTag } = this;
    this.consumerTag = undefined;
    // 6: what is delivered from now on is ignored, and comes back with the rest.
    if (!channel || !model || !consumerTag || this.ordered) return;
    const cancelled = answered(this.runtime, model, channel.cancel(consumerTag));
    await ignore(cancelled, "consumer_cancel");
  }

  /** Closes the channel: unacknowledged messages go back to the queue, in order. */
  async close(): Promise<void> {
    this.quieted = true;
    this.ended = true;
    this.connection.detach(this.attachment);
    const { channel, model } = this;
    this.acks?.flush(); // what is settled need not come again
    this.channel = undefined;
    this.consumerTag = undefined;
    if (!channel || !model) return;
    if ((await closeChannel(this.runtime, channel)) || this.connection.blocked) return;
    // 5: a broker that did not answer still considers the channel's messages ours. (One under an
    // alarm does not read from a connection that has published; it answers when the alarm is over.)
    dropConnection(model, "closing a channel had no answer");
  }

  private async open(model: ChannelModel): Promise<void> {
    if (this.quieted) return;
    const { queue, prefetch, exclusive, bindTo, noAck, onLost } = this.options;
    const channel = await answered(this.runtime, model, model.createChannel());
    channel.on("error", () => undefined); // 'close' follows
    channel.on("close", () => {
      if (this.channel !== channel) return;
      this.channel = undefined;
      this.consumerTag = undefined;
      onLost?.();
      this.openLater(model);
    });
    if (exclusive)
      await answered(
        this.runtime,
        model,
        channel.assertQueue(queue, { exclusive: true, durable: false, autoDelete: true }),
      );
    if (bindTo !== undefined)
      await answered(this.runtime, model, channel.bindQueue(queue, bindTo, ""));
    await answered(this.runtime, model, channel.prefetch(prefetch));
    // 5: closed in the meantime.
    if (this.quieted) {
      await closeChannel(this.runtime, channel);
      return;
    }
    this.channel = channel;
    this.model = model;
    const ackUpTo = (tag: number) => this.ack(channel, tag, true);
    const acks: Acks = this.options.independent
      ? { expect() {}, settle: (tag: number) => this.ack(channel, tag, false), flush() {} }
      : new OrderedAcks(ackUpTo, this.options.ackPacer); // 3
    this.acks = acks;
    const deliver = (message: ConsumeMessage | null) => this.deliver(channel, acks, message);
    const { consumerTag } = await answered(
      this.runtime,
      model,
      channel.consume(queue, deliver, { noAck: noAck ?? false }),
    );
    if (this.channel === channel) this.consumerTag = consumerTag;
  }

  private ack(channel: Channel, tag: number, upTo: boolean): void {
    if (this.channel !== channel) return;
    try {
      channel.ack({ fields: { deliveryTag: tag } } as ConsumeMessage, upTo);
    } catch {
      countIgnored("ack"); // the channel is closing; its 'close' event is yet to come
    }
  }

  private deliver(channel: Channel, acks: Acks, message: ConsumeMessage | null): void {
    if (message === null) {
      // The broker cancelled the consumer: the queue was deleted.
      void ignore(channel.close(), "channel_close");
      return;
    }
    if (this.channel !== channel || (this.quieted && this.ordered)) return; // 6
    const tag = message.fields.deliveryTag;
    if (!this.options.noAck) acks.expect(tag);
    const live = () => this.channel === channel;
    const settle = (disposition: Disposition) => {
      if (this.options.noAck || !live()) return; // 2
      if (disposition === "ack") acks.settle(tag);
      else
        void this.bury(message, disposition.reason, () => {
          acks.settle(tag);
          acks.flush(); // if it came again, there would be a second copy
        });
    };
    this.options.handler(delivery(message), settle, live);
  }

  /**
   * The broker ended the consumer (queue deleted) or the channel (ack overdue): tries again on this
   * connection until the queue exists.
   */
  private openLater(model: ChannelModel): void {
    if (this.reopening !== undefined) return;
    this.reopening = this.runtime.startTimer(() => {
      this.reopening = undefined;
      if (this.quieted || this.connection.model !== model || this.channel) return;
      this.open(model).catch(() => {
        countIgnored("subscription_open");
        this.openLater(model);
      });
    }, RESUBSCRIBE_MS);
  }

  /** Publishes the copy until it is confirmed; only then is the original settled. */
  private async bury(message: ConsumeMessage, reason: string, settled: () => void): Promise<void> {
    const { dead } = this.options;
    if (!dead) throw new Error(`queue '${this.options.queue}' has no dead letters to send to`);
    const { exchange, routingKey } = message.fields;
    const headers = {
      "x-reason": reason,
      "x-exchange": exchange,
      "x-routing-key": routingKey,
      "x-deliveries": deliveries(message) + 1,
      "x-app-id": message.properties.appId ?? "",
      [ORIGIN]: originOf(message),
    };
    const { messageId, type } = message.properties as { messageId?: string; type?: string };
    const key = dead.exchange === undefined ? dead.queue : routingKey;
    while (!this.ended) {
      if (
        (await dead.publisher.publish(dead.exchange ?? "", key, message.content, {
          messageId,
          type,
          headers,
        })) === "confirmed"
      ) {
        settled(); // 4
        return;
      }
      await this.runtime.sleep(DEAD_RETRY_MS);
    }
  }
}

function delivery(message: ConsumeMessage): Delivery {
  const { messageId, appId, type, replyTo, userId } = message.properties as {
    messageId?: string;
    appId?: string;
    type?: string;
    replyTo?: string;
    userId?: string;
  };
  const acceptedAtMs = Number(message.properties.headers?.["x-accepted-at"] ?? 0);
  return {
    body: message.content,
    messageId: messageId ?? "",
    appId: appId ?? "",
    type: type ?? "",
    replyTo: replyTo ?? "",
    userId: userId ?? "",
    exchange: message.fields.exchange,
    origin: String(message.properties.headers?.[ORIGIN] ?? ""),
    deliveries: deliveries(message),
    acceptedAtMs,
  };
}

function deliveries(message: ConsumeMessage): number {
  const count: unknown = message.properties.headers?.["x-delivery-count"];
  if (typeof count === "number") return count;
  return message.fields.redelivered ? 1 : 0;
}

/** A letter that was redriven and dead-lettered again keeps its original publisher. */
function originOf({ properties }: ConsumeMessage): string {
  return String(properties.headers?.[ORIGIN] ?? properties.userId ?? "");
}
