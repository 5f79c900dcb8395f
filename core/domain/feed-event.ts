// What the feed and the webhooks report of orders (docs/webhooks.md).
import type { Line } from "./order.ts";
import { subjectOf } from "./user-name.ts";

export const FEED_TYPES = [
  "order.decided",
  "order.paid",
  "order.failed",
  "order.expired",
  "order.cancelled",
  "order.dispatched",
  "order.refunded",
  "order.refund_failed",
  "order.disputed",
] as const;
export type FeedType = (typeof FEED_TYPES)[number];

export interface FeedEvent {
  /** Unique for good, and the same whenever the event is read or sent. */
  readonly id: string;
  readonly type: FeedType;
  /** When Redis decided it, Unix ms. */
  readonly atMs: number;
  /** Its entry in the journal. */
  readonly shard: number;
  readonly n: number;
  readonly user: string;
  readonly orderId: string;
  readonly saleId: string;
  /** The order's state, or what happened to its money. */
  readonly status: string;
  /** 1, and one more for each time that an operator has retried the order. */
  readonly generation: number;
  /** Only of a decision. */
  readonly lines?: readonly Line[];
  /** Minor units of `currency`; absent if the order was never charged. */
  readonly amount?: number;
  readonly currency?: string;
}

/**
 * The event that the ledger's word stands for; undefined: the feed does not report it. The decision
 * about an order has the order's state as its word.
 */
export function feedTypeOf(word: string): FeedType | undefined {
  return TYPE_OF.get(word) ?? (DECISIONS.has(word) ? "order.decided" : undefined);
}

const TYPE_OF: ReadonlyMap<string, FeedType> = new Map([
  ["paid", "order.paid"],
  ["payment_failed", "order.failed"],
  ["expired", "order.expired"],
  ["cancelled", "order.cancelled"],
  ["dispatched", "order.dispatched"],
  ["refunded", "order.refunded"],
  ["returned", "order.refunded"],
  ["refund_failed", "order.refund_failed"],
  ["disputed", "order.disputed"],
]);

/** A parked order has not been decided. */
const DECISIONS: ReadonlySet<string> = new Set([
  ...["reserved", "sold_out", "over_limit", "over_max_total", "sale_closed", "unknown_item"],
  ...["fx_unavailable", "superseded", "stale", "rejected"],
]);

/** An event as CloudEvents 1.0 in JSON: the form of the feed and of webhooks. */
export interface ShownEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: FeedType;
  /** `user/order`, as in the names of charges and parts. */
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: object;
}

export const EVENT_SOURCE = "/sluice/orders";

export function showEvent(event: FeedEvent, timeOf: (atMs: number) => string): ShownEvent {
  const { id, type, atMs, user, orderId, saleId, status, generation } = event;
  const { lines, amount, currency } = event;
  return {
    specversion: "1.0",
    id,
    source: EVENT_SOURCE,
    type,
    subject: `${user}/${orderId}`,
    time: timeOf(atMs),
    datacontenttype: "application/json",
    data: {
      orderId,
      user: subjectOf(user),
      saleId,
      status,
      generation,
      ...(lines ? { lines } : {}),
      ...(currency === undefined ? {} : { currency }),
      ...(amount === undefined ? {} : { amount }),
    },
  };
}
