// The tables that a transaction inserts into, and how their rows are laid out: this file alone
// knows the order of their columns. Values lie flat, row after row, as insertRows() takes them.

import type { OrderState } from "../core/domain/outcome.ts";
import type { Value } from "./db.ts";

/** A row by the names of its columns. */
type Named<Columns extends readonly string[]> = Readonly<Record<Columns[number], Value>>;

export const ENTRIES = [
  ...(["shard", "n", "id", "prev", "kind", "at_ms", "epoch", "released", "steps"] as const),
  "recorded_ms",
] as const;
export const MESSAGES = ["id", "shard", "n", "gateway", "batch", "body", "outcomes"] as const;
export const ORDERS = ["bucket", "id", "usr", "state", "message", "idx"] as const;
export const EVENTS = ["usr", "id", "at_ms", "event", "detail", "shard", "n"] as const;
export const MOVEMENTS = ["cause", "sale", "sku", "account", "units"] as const;
export const POSTINGS = ["cause", "currency", "account", "amount", "sale"] as const;
export const FOLLOW_UPS = ["shard", "exchange", "routing_key", "body", "done", "due_ms"] as const;
export const CHARGES = [
  ...(["usr", "id", "generation", "attempt", "amount", "currency", "payment", "status"] as const),
  ...(["detail", "metadata", "rate_id", "rate", "trace"] as const),
] as const;
export const PARTS = [
  ...(["usr", "id", "generation", "part", "parts", "routing_key", "service", "status"] as const),
  "lines",
] as const;
export const PURCHASES = ["sale", "usr", "sku", "units"] as const;
export const TURNS = ["sale", "usr", "next", "lowest"] as const;

/** Appends a row to the flat values of a table with these columns. */
export function append<const Columns extends readonly string[]>(
  flat: Value[],
  columns: Columns,
  row: Named<Columns>,
): void {
  for (const column of columns) flat.push(row[column as Columns[number]]);
}

/** append() for ORDERS. It runs for every order, so it creates no object. */
export function appendOrder(
  flat: Value[],
  bucket: number,
  id: string,
  user: string,
  state: OrderState,
  message: number,
  index: number,
): void {
  flat.push(bucket, id, user, state, message, index);
}
