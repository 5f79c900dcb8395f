// What else the ledger knows of an order, for operators: where it was recorded, and every attempt
// to charge it and every part of it, whatever its generation.
import type { Db } from "./db.ts";

export interface StoryCharge {
  /** 1, and one more for each time that an operator has retried the order. */
  readonly generation: number;
  /** 0: it waits for the charges of the user's earlier orders. */
  readonly attempt: number;
  /** Minor units of `currency`. */
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
}

export interface StoryPart {
  readonly generation: number;
  /** From 1. */
  readonly part: number;
  readonly of: number;
  /** Empty: no route names one. */
  readonly service: string;
  readonly status: string;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
}

export interface OrderStory {
  /** The journal's entry that has the order's message. */
  readonly shard: number;
  readonly entry: number;
  /** The gateway that accepted it. */
  readonly gateway: string;
  readonly charges: readonly StoryCharge[];
  readonly parts: readonly StoryPart[];
}

/** undefined: it was never recorded. */
export async function orderStory(
  db: Db,
  bucket: number,
  user: string,
  id: string,
): Promise<OrderStory | undefined> {
  const [place] = await db.run(
    `SELECT m.shard, m.n, m.gateway FROM orders o JOIN messages m ON m.id = o.message
     WHERE o.bucket = ? AND o.id = ? AND o.usr = ?`,
    [bucket, id, user],
  );
  if (!place) return undefined;
  const charges = await db.run(
    `SELECT generation, attempt, amount, currency, status FROM charges
     WHERE id = ? AND usr = ? ORDER BY generation, attempt`,
    [id, user],
  );
  const parts = await db.run(
    `SELECT generation, part, parts, service, status, lines FROM parts
     WHERE id = ? AND usr = ? ORDER BY generation, part`,
    [id, user],
  );
  return {
    shard: Number(place.shard),
    entry: Number(place.n),
    gateway: String(place.gateway),
    charges: charges.map((row) => ({
      generation: Number(row.generation),
      attempt: Number(row.attempt),
      amount: Number(row.amount),
      currency: String(row.currency),
      status: String(row.status),
    })),
    parts: parts.map((row) => ({
      generation: Number(row.generation),
      part: Number(row.part),
      of: Number(row.parts),
      service: String(row.service),
      status: String(row.status),
      lines: JSON.parse(String(row.lines)) as StoryPart["lines"],
    })),
  };
}
