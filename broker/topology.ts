// Exchanges, queues and bindings as data. No other file names a queue.
//
//   orders ──<shard>──▶ orders.<shard> ──(net)──▶ orders.dead
//   claims ──<shard>──▶ orders.<shard>: what services report about their parts
//   payments ◀── payments.retry.1/2/3 (each message expires after its wait)
//   payments.dead: charges that failed for good
//   fulfilment ──<region>.<category>──▶ fulfilment.<service>, bound by routes.ts
//   fulfilment ──(no route)──▶ fulfilment.unrouted
//   fx.rates ──▶ rates.<id>, exclusive to each worker
//   fx.requests: currency pairs that someone needs a rate for
//   gateway.<id>: exclusive to the gateway, which declares it (subscriber.ts)

export interface Exchange {
  readonly name: string;
  readonly type: "direct" | "topic" | "fanout";
  /** The exchange for messages that no binding matches. */
  readonly alternate?: string;
}
export interface Queue {
  readonly name: string;
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
}
export interface Binding {
  readonly queue: string;
  readonly exchange: string;
  readonly key: string;
}
export interface Topology {
  readonly exchanges: readonly Exchange[];
  readonly queues: readonly Queue[];
  readonly bindings: readonly Binding[];
}

export const ORDERS_EXCHANGE = "orders";
/** The only exchange that services publish claims to. */
export const CLAIMS_EXCHANGE = "claims";
export const ORDERS_DEAD = "orders.dead";
export const PAYMENTS = "payments";
export const PAYMENTS_DEAD = "payments.dead";
/** Retry n of a charge waits here. */
export const RETRIES = ["payments.retry.1", "payments.retry.2", "payments.retry.3"] as const;
export const FULFILMENT_EXCHANGE = "fulfilment";
/** Parts that have no route yet. */
export const UNROUTED = "fulfilment.unrouted";
export const FX_RATES = "fx.rates";
/** Currency pairs that someone needs a rate for. */
export const FX_REQUESTS = "fx.requests";
export const ratesQueue = (id: string): string => `rates.${id}`;
export const serviceQueueName = (service: string): string => `fulfilment.${service}`;
/** A routing key that no binding has. */
export const NO_QUEUE = "sluice.no-such-queue";
export const ordersQueue = (shard: number): string => `orders.${shard}`;
export const ordersKey = (shard: number): string => String(shard);

/**
 * Messages a shard's queue may hold; one message carries up to several hundred orders. Beyond it
 * publishes are refused, not dropped.
 */
export const DEFAULT_MAX_LENGTH = 20_000;
/**
 * How often a message may be redelivered before the broker dead-letters it (to orders.dead). Every
 * hand-over of a shard counts as one, so the limit is far above what crashes can cause; the decider
 * detects poison after three deliveries.
 */
const DELIVERY_LIMIT = 10_000;

const quorum = (args: Queue["arguments"]): Queue["arguments"] => ({
  "x-queue-type": "quorum",
  "x-delivery-limit": DELIVERY_LIMIT,
  ...args,
});

/**
 * The place of a new queue in a cluster: three copies, on fewer nodes as many as there are, and
 * leaders on all nodes, not all on the one that the declaring worker is connected to. A queue of an
 * earlier release has no such arguments, and RabbitMQ would refuse to declare it with them.
 */
export const PLACE_OF_NEW_QUEUES: Queue["arguments"] = {
  "x-quorum-initial-group-size": 3,
  "x-queue-leader-locator": "balanced",
};

const deadLettersTo = (queue: string): Queue["arguments"] => ({
  "x-dead-letter-exchange": "",
  "x-dead-letter-routing-key": queue,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
});

/** A service's expired or rejected parts go to `fulfilment.unrouted`, under its own key. */
const BACK_TO_UNROUTED = {
  "x-dead-letter-exchange": UNROUTED,
  "x-dead-letter-strategy": "at-least-once",
  "x-overflow": "reject-publish",
};

export function serviceQueue(service: string): Queue {
  return { name: serviceQueueName(service), arguments: quorum(BACK_TO_UNROUTED) };
}

/** The service whose queue has this name; undefined: no service's queue. */
export function serviceWith(queue: string): string | undefined {
  const prefix = serviceQueueName("");
  return queue.startsWith(prefix) && queue !== UNROUTED ? queue.slice(prefix.length) : undefined;
}

/** Requests are repeated, so they may expire. */
const SHORT_LIVED = { "x-message-ttl": 30_000, "x-max-length": 1_000 };

export function topology(shards: number, maxLength = DEFAULT_MAX_LENGTH): Topology {
  const ids = Array.from({ length: shards }, (_, shard) => shard);
  return {
    exchanges: [
      { name: ORDERS_EXCHANGE, type: "direct" },
      { name: CLAIMS_EXCHANGE, type: "direct" },
      { name: UNROUTED, type: "fanout" },
      { name: FX_RATES, type: "fanout" },
      { name: FULFILMENT_EXCHANGE, type: "topic", alternate: UNROUTED },
    ],
    queues: [
      ...ids.map((shard) => ({
        name: ordersQueue(shard),
        arguments: quorum({
          "x-single-active-consumer": true,
          "x-max-length": maxLength,
          ...deadLettersTo(ORDERS_DEAD),
        }),
      })),
      { name: ORDERS_DEAD, arguments: quorum({}) },
      { name: PAYMENTS, arguments: quorum(deadLettersTo(PAYMENTS_DEAD)) },
      // Each message carries its own wait, so a changed setting needs no new queue.
      ...RETRIES.map((name) => ({ name, arguments: quorum(deadLettersTo(PAYMENTS)) })),
      { name: PAYMENTS_DEAD, arguments: quorum({}) },
      { name: UNROUTED, arguments: quorum({}) },
      { name: FX_REQUESTS, arguments: quorum(SHORT_LIVED) },
    ],
    bindings: [
      ...[ORDERS_EXCHANGE, CLAIMS_EXCHANGE].flatMap((exchange) =>
        ids.map((shard) => ({ queue: ordersQueue(shard), exchange, key: ordersKey(shard) })),
      ),
      { queue: UNROUTED, exchange: UNROUTED, key: "" },
    ],
  };
}
