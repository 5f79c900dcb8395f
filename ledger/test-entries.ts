// What the ledger's tests are made of: users of a shard, rows, and entries that follow one another.
import type { Entry } from "../core/domain/entry.ts";
import { orderRowText } from "../core/domain/order.ts";
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

export function rowText(user: string, id: string, qty: number): string {
  const order = {
    user,
    id,
    saleId: "s1",
    seq: 0,
    currency: "EUR",
    lines: [{ sku: "a", qty }],
    payment: "",
    metadata: "",
    maxTotal: 0,
  };
  return orderRowText(order, 1);
}

/**
 * Entry n of a shard, with one message. Its id says its place, so that the one before it can be
 * named.
 */
export function entryOf(
  shard: number,
  n: number,
  rows: readonly string[],
  outcomes: string,
  more: Partial<Entry> = {},
): Entry {
  const messages =
    rows.length === 0 ? [] : [{ gateway: "g", batch: "1", body: `[${rows.join(",")}]`, outcomes }];
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
