// Builds test data for the ledger: users of a shard, rows, and entries that follow each other.
import type { Entry, OrderStep, Released } from "../core/domain/entry.ts";
import { messageText } from "../core/domain/message.ts";
import { fingerprintOf, type Order } from "../core/domain/order.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { OrderRow, Row } from "../core/domain/row.ts";
import type { Sale } from "../core/domain/sale.ts";
import { shardOf } from "../core/domain/shard.ts";

export const SHARDS = 2;

export function saleOf(units: number): Sale {
  const item = {
    sku: "a",
    name: "A",
    category: "c",
    priceMinor: 100,
    limitPerUser: 0,
    initial: units,
  };
  return { id: "s1", name: "Sale", currency: "EUR", opensAtMs: 0, closesAtMs: 9e12, items: [item] };
}

/** A user of the given shard. */
export function userOf(shard: number): string {
  for (let i = 0; ; i++) if (shardOf(`u${i}`, SHARDS) === shard) return `u${i}`;
}

/** An order of `qty` units of `a`, with the changes in `more`. */
export function orderRow(
  user: string,
  id: string,
  qty: number,
  more: Partial<Order> = {},
): OrderRow {
  const terms = { saleId: "s1", seq: 0, currency: "EUR", lines: [{ sku: "a", qty }] };
  const order = { user, id, ...terms, payment: "", metadata: "", maxTotal: 0, ...more };
  return { kind: "order", order, fingerprint: fingerprintOf(order), atMs: 1 };
}

/** A parked order that an entry releases. */
export function releasedOf({ kind: _, ...placed }: OrderRow, state: OrderState): Released {
  return { gateway: "g", state, ...placed };
}

/** A step of a reserved order of two `a`, in its first generation. */
export function stepOf(
  what: OrderStep["what"],
  user: string,
  id: string,
  more: Partial<OrderStep> = {},
): OrderStep {
  const terms = { saleId: "s1", lines: [{ sku: "a", qty: 2 }], detail: "" };
  return { what, user, id, generation: 1, attempt: 1, gateway: "g", ...terms, ...more };
}

/**
 * Entry n of a shard, with one message. Its id follows from n, so the entry before can be named.
 */
export function entryOf(
  shard: number,
  n: number,
  rows: readonly Row[],
  outcomes: string,
  more: Partial<Entry> = {},
): Entry {
  const messages =
    rows.length === 0 ? [] : [{ gateway: "g", batch: "1", body: messageText(rows), outcomes }];
  return {
    shard,
    id: entryId(shard, n),
    prev: entryId(shard, n - 1),
    n,
    kind: "decide",
    atMs: 5,
    messages,
    released: [],
    steps: [],
    ...more,
  };
}

export const entryId = (shard: number, n: number): string =>
  n === 0 ? "genesis" : `id-${shard}-${n}`;
