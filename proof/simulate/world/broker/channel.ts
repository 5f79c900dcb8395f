// The broker's side of a channel: what each method of the protocol does, and the deliveries that
// wait for an acknowledgement.
import type { Method } from "../../../../broker/in-process.ts";
import { type Message, type Properties, Refused, tableOf } from "./message.ts";
import type { BrokerNode } from "./node.ts";
import type { Consumer, Queue } from "./queue.ts";

/** The connection that a channel belongs to. */
export interface Session {
  readonly user: string;
  send(method: Method): void;
}

interface Outstanding {
  readonly consumer: Consumer;
  readonly queue: Queue;
  readonly message: Message;
  readonly atMs: number;
}

/** RabbitMQ's default: a delivery that stays unacknowledged for this long closes its channel. */
const CONSUMER_TIMEOUT_MS = 30 * 60_000;

export class BrokerChannel {
  private readonly consumers = new Map<string, { consumer: Consumer; queue: Queue }>();
  /** Consumers that receive nothing more and may still hold messages: cancelled, or for one get. */
  private readonly former: { consumer: Consumer; queue: Queue }[] = [];
  private readonly outstanding = new Map<number, Outstanding>();
  private readonly sentTo = new Set<Queue>();
  private prefetch = 0;
  private confirms = false;
  private published = 0;
  private deliveries = 0;
  private tags = 0;
  private watched = false;
  /** `closing`: the broker has closed it, and the client has yet to agree. */
  state: "open" | "closing" | "closed" = "open";

  constructor(
    private readonly node: BrokerNode,
    private readonly session: Session,
    private readonly number: number,
  ) {}

  receive(method: Method): void {
    if (method.name === "ChannelCloseOk") this.state = "closed";
    if (this.state !== "open") return;
    try {
      const handle = BrokerChannel.methods[method.name];
      if (!handle) throw new Error(`the simulated broker does not know ${method.name}`);
      handle(this, method);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.refuse(error);
    }
  }

  /** What was delivered and not acknowledged goes back. */
  end(state: "closing" | "closed" = "closed"): void {
    if (this.state === "open") {
      this.state = state;
      this.leaveQueues();
    }
    this.state = state;
  }

  private refuse({ code, message }: Refused): void {
    this.end("closing");
    this.reply("ChannelClose", { replyCode: code, replyText: message, classId: 0, methodId: 0 });
  }

  private reply(name: string, fields: Method["fields"] = {}, message?: Partial<Method>): void {
    this.session.send({ channel: this.number, name, fields, ...message });
  }

  /** What each method does, and what it is answered with. */
  private static readonly methods: Readonly<
    Record<string, (channel: BrokerChannel, method: Method) => void>
  > = {
    ChannelOpen: (channel) => channel.reply("ChannelOpenOk"),
    ChannelClose: (channel) => {
      channel.end();
      channel.reply("ChannelCloseOk");
    },
    ConfirmSelect: (channel) => {
      channel.confirms = true;
      channel.reply("ConfirmSelectOk");
    },
    ExchangeDeclare: (channel, { fields }) => channel.declareExchange(fields),
    ExchangeDelete: (channel, { fields }) => {
      channel.node.exchanges.delete(String(fields.exchange));
      channel.reply("ExchangeDeleteOk");
    },
    QueueDeclare: (channel, { fields }) => channel.declareQueue(fields),
    QueueBind: (channel, method) => channel.bind(method),
    QueueUnbind: (channel, method) => channel.bind(method),
    QueueDelete: (channel, { fields }) => channel.deleteQueue(String(fields.queue)),
    QueuePurge: (channel, { fields }) => {
      const messageCount = channel.queue(String(fields.queue)).purge();
      channel.reply("QueuePurgeOk", { messageCount });
    },
    BasicQos: (channel, { fields }) => {
      channel.prefetch = Number(fields.prefetchCount);
      channel.reply("BasicQosOk");
    },
    BasicConsume: (channel, { fields }) => channel.consume(fields),
    BasicCancel: (channel, { fields }) => channel.cancel(String(fields.consumerTag)),
    BasicPublish: (channel, method) => channel.publish(method),
    BasicGet: (channel, { fields }) => channel.get(fields),
    BasicAck: (channel, { fields }) =>
      channel.settle(fields, ({ queue, consumer, message }) => queue.settle(consumer, message)),
    BasicNack: (channel, { fields }) => channel.reject(fields),
    BasicReject: (channel, { fields }) => channel.reject(fields),
  };

  private reject(fields: Method["fields"]): void {
    this.settle(fields, ({ queue, consumer, message }) =>
      queue.reject(consumer, message, fields.requeue === true),
    );
  }

  private queue(name: string): Queue {
    return this.node.queueFor(name, this.session);
  }

  private declareExchange(fields: Method["fields"]): void {
    const name = String(fields.exchange);
    if (fields.passive === true) this.node.exchanges.find(name);
    else {
      const args = tableOf(fields.arguments);
      const alternate = args["alternate-exchange"] as string | undefined;
      this.node.may(this.session.user, "configure", name);
      if (alternate !== undefined) {
        this.node.may(this.session.user, "read", name);
        this.node.may(this.session.user, "write", alternate);
      }
      const { type, durable } = fields as { type: string; durable: boolean };
      this.node.exchanges.declare({ name, type, durable, alternate, arguments: args });
    }
    this.reply("ExchangeDeclareOk");
  }

  private declareQueue(fields: Method["fields"]): void {
    const name = String(fields.queue);
    let queue: Queue;
    if (fields.passive === true) queue = this.queue(name);
    else {
      const args = tableOf(fields.arguments);
      const deadTo = args["x-dead-letter-exchange"];
      this.node.may(this.session.user, "configure", name);
      if (typeof deadTo === "string") {
        this.node.may(this.session.user, "read", name);
        this.node.may(this.session.user, "write", deadTo);
      }
      const { durable, autoDelete, exclusive } = fields as Record<string, boolean>;
      const owner = exclusive ? this.session : undefined;
      queue = this.node.declare(
        {
          name,
          durable: durable === true,
          autoDelete: autoDelete === true,
          owner,
          arguments: args,
        },
        this.session,
      );
    }
    const { length: messageCount, consumerCount } = queue;
    this.reply("QueueDeclareOk", { queue: name, messageCount, consumerCount });
  }

  private bind({ name, fields }: Method): void {
    const { queue, exchange, routingKey } = fields as Record<string, string>;
    this.queue(String(queue));
    this.node.may(this.session.user, "write", String(queue));
    this.node.may(this.session.user, "read", String(exchange));
    const args = tableOf(fields.arguments);
    const { exchanges } = this.node;
    if (name === "QueueBind") exchanges.bind(`${exchange}`, `${queue}`, `${routingKey}`, args);
    else exchanges.unbind(`${exchange}`, `${queue}`, `${routingKey}`, args);
    this.reply(`${name}Ok`);
  }

  private deleteQueue(name: string): void {
    this.node.may(this.session.user, "configure", name);
    if (this.node.find(name)) this.queue(name);
    this.reply("QueueDeleteOk", { messageCount: this.node.delete(name) });
  }

  private consume(fields: Method["fields"]): void {
    const name = String(fields.queue);
    this.node.may(this.session.user, "read", name);
    const queue = this.queue(name);
    const given = String(fields.consumerTag);
    const consumerTag = given === "" ? `amq.ctag-${this.number}-${++this.tags}` : given;
    const consumer = this.newConsumer(consumerTag, queue, fields.noAck === true);
    this.consumers.set(consumerTag, { consumer, queue });
    this.reply("BasicConsumeOk", { consumerTag });
    queue.consume(consumer);
  }

  private newConsumer(tag: string, queue: Queue, noAck: boolean): Consumer {
    const consumer: Consumer = {
      tag,
      noAck,
      prefetch: this.prefetch,
      held: new Set(),
      cancelled: false,
      deliver: (message) => {
        const deliveryTag = this.track(consumer, queue, message);
        const { exchange, routingKey, returns } = message;
        const redelivered = returns > 0;
        this.reply(
          "BasicDeliver",
          { consumerTag: tag, deliveryTag, redelivered, exchange, routingKey },
          contentOf(queue, message),
        );
      },
      ended: () => {
        this.consumers.delete(tag);
        if (tag !== "") this.reply("BasicCancel", { consumerTag: tag });
      },
    };
    return consumer;
  }

  private cancel(consumerTag: string): void {
    const held = this.consumers.get(consumerTag);
    this.reply("BasicCancelOk", { consumerTag });
    if (!held) return;
    this.consumers.delete(consumerTag);
    held.queue.cancel(held.consumer);
    this.former.push(held);
    if (held.queue.abandoned) this.node.delete(held.queue.spec.name);
  }

  private leaveQueues(): void {
    const byQueue = new Map<Queue, Consumer[]>();
    const add = (queue: Queue, consumer: Consumer) =>
      byQueue.set(queue, [...(byQueue.get(queue) ?? []), consumer]);
    for (const { queue, consumer } of this.consumers.values()) add(queue, consumer);
    for (const { queue, consumer } of this.former) add(queue, consumer);
    for (const [queue, consumers] of byQueue) {
      queue.gone(consumers);
      if (queue.abandoned) this.node.delete(queue.spec.name);
    }
    for (const queue of this.sentTo) queue.forget(this);
  }

  private publish({ fields, properties: given = {}, content = Buffer.alloc(0) }: Method): void {
    const { exchange = "", routingKey = "" } = fields as Record<string, string>;
    const tag = ++this.published;
    if (exchange !== "") this.node.exchanges.find(exchange);
    this.node.may(this.session.user, "write", exchange);
    const properties = propertiesOf(given);
    const { userId } = properties;
    if (userId !== undefined && userId !== this.session.user)
      throw new Refused(406, `PRECONDITION_FAILED - user_id property set to '${userId}'`);
    const publication = { exchange, routingKey, properties, content };
    const queues = this.node.publish(this, publication, (taken) => this.confirm(tag, taken));
    for (const queue of queues) this.sentTo.add(queue);
    if (queues.length > 0) return;
    const returned = { replyCode: 312, replyText: "NO_ROUTE", exchange, routingKey };
    if (fields.mandatory === true) this.reply("BasicReturn", returned, { properties, content });
    this.confirm(tag, true);
  }

  private confirm(deliveryTag: number, taken: boolean): void {
    if (!this.confirms || this.state !== "open") return;
    const name = taken ? "BasicAck" : "BasicNack";
    const { confirmTwice } = this.node.trouble;
    this.reply(name, { deliveryTag, multiple: false, requeue: false });
    if (confirmTwice > 0 && this.node.scheduler.random() < confirmTwice)
      this.reply(name, { deliveryTag, multiple: false, requeue: false });
  }

  private get(fields: Method["fields"]): void {
    const name = String(fields.queue);
    this.node.may(this.session.user, "read", name);
    const queue = this.queue(name);
    if (queue.single) throw new Refused(405, `RESOURCE_LOCKED - single active consumer '${name}'`);
    const getter = this.newConsumer("", queue, fields.noAck === true);
    const message = queue.get(getter);
    if (!message) {
      this.reply("BasicGetEmpty", { clusterId: "" });
      return;
    }
    if (!getter.noAck) this.former.push({ consumer: getter, queue });
    const deliveryTag = this.track(getter, queue, message);
    const { exchange, routingKey, returns } = message;
    const messageCount = queue.length;
    const given = { deliveryTag, redelivered: returns > 0, exchange, routingKey, messageCount };
    this.reply("BasicGetOk", given, contentOf(queue, message, 0));
  }

  private track(consumer: Consumer, queue: Queue, message: Message): number {
    const tag = ++this.deliveries;
    if (consumer.noAck) return tag;
    const atMs = this.node.scheduler.nowMs();
    this.outstanding.set(tag, { consumer, queue, message, atMs });
    if (!this.watched) this.watch(CONSUMER_TIMEOUT_MS);
    return tag;
  }

  /** Closes the channel if its oldest delivery waits for too long. */
  private watch(delayMs: number): void {
    this.watched = true;
    const look = () => {
      this.watched = false;
      const [oldest] = this.outstanding.values();
      if (!oldest || this.state !== "open") return;
      const leftMs = oldest.atMs + CONSUMER_TIMEOUT_MS - this.node.scheduler.nowMs();
      if (leftMs > 0) this.watch(leftMs);
      else
        this.refuse(new Refused(406, "PRECONDITION_FAILED - delivery acknowledgement timed out"));
    };
    this.node.scheduler.event(`${this.node.name} consumer timeout`, look, delayMs);
  }

  private settle(fields: Method["fields"], how: (delivery: Outstanding) => void): void {
    const { deliveryTag, multiple } = fields as { deliveryTag: number; multiple?: boolean };
    const all = multiple === true && deliveryTag === 0;
    if (!all && !this.outstanding.has(deliveryTag))
      throw new Refused(406, `PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`);
    for (const [tag, delivery] of [...this.outstanding]) {
      if (tag !== deliveryTag && !(all || (multiple === true && tag < deliveryTag))) continue;
      this.outstanding.delete(tag);
      how(delivery);
    }
  }
}

const KEPT = ["contentType", "contentEncoding", "headers", "deliveryMode", "priority"].concat([
  "correlationId",
  "replyTo",
  "expiration",
  "messageId",
  "timestamp",
  "type",
  "userId",
  "appId",
]);

function propertiesOf(given: Method["fields"]): Properties {
  const properties: Record<string, unknown> = {};
  for (const name of KEPT) if (given[name] !== undefined) properties[name] = given[name];
  return { ...properties, headers: tableOf(given.headers) };
}

/** A quorum queue reports how often a message went back, from `from` times on. */
function contentOf(
  queue: Queue,
  { properties, content, returns }: Message,
  from = 1,
): Partial<Method> {
  const counted = queue.quorum && returns >= from;
  const headers = { ...properties.headers, ...(counted ? { "x-delivery-count": returns } : {}) };
  return { properties: { ...properties, headers }, content };
}
