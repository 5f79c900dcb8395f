// An order as the system carries it: checked at the edge, written once as a row, read by Lua and by
// the ledger.
//
// A message on `orders.<shard>` is a JSON array of rows. A row is positional, so that the very text
// the gateway publishes is what Redis decodes and what the ledger keeps: nobody in between writes
// it again.
//
//   order ["o", user, id, fingerprint, acceptedAtMs, sale, seq, currency, [sku, qty, sku, qty, …], payment, metadata, maxTotal, traceparent?]
//   redriven ["r", as an order's with seq 0 …, maxTotal, generation, traceparent?]: tried again after its payment failed
//   skip  ["s", user, "", "", acceptedAtMs, sale, seq]
//   cancel ["c", user, id, "", acceptedAtMs, "", 0]
//   part ["f", user, id, "", acceptedAtMs, "", 0, generation, part, of, claim | done, service]: of a paid order (part.ts)
//   answer ["p", user, id, "", acceptedAtMs, "", 0, generation, attempt, captured | failed | unknown | refunded, detail]: of a charge (charge.ts)

import { LIMITS } from "./limits.ts";
import type { Traceparent } from "./trace.ts";

export type Sku = string;
export interface Line {
  readonly sku: Sku;
  /** Units, 1 to MAX_QTY. */
  readonly qty: number;
}

/** A checked order. Strings are within the limits below, so a row needs no further checks. */
export interface Order {
  readonly user: string;
  /** UUIDv7, lower case. */
  readonly id: string;
  readonly saleId: string;
  /** 1, 2, 3 … per user and sale; 0 for an unnumbered order. */
  readonly seq: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly lines: readonly Line[];
  /** Opaque token for the payment provider; empty when absent. */
  readonly payment: string;
  /** JSON text of the client's metadata; empty when absent. */
  readonly metadata: string;
  /** Minor units of `currency`; 0 when the client sets no ceiling. */
  readonly maxTotal: number;
}

/** Gives a number up: later numbers of the user need not wait for it. */
export interface Skip {
  readonly user: string;
  readonly saleId: string;
  readonly seq: number;
}

type Ordered = [
  user: string,
  id: string,
  fingerprint: string,
  acceptedAtMs: number,
  saleId: string,
  seq: number,
  currency: string,
  lines: readonly (string | number)[],
  payment: string,
  metadata: string,
  maxTotal: number,
];
export type OrderRow = readonly [
  kind: "o",
  ...order: Ordered,
  /** Of the request it came with, if that named one (trace.ts). */
  traceparent?: Traceparent,
];
export type SkipRow = readonly [
  kind: "s",
  user: string,
  id: "",
  fingerprint: "",
  acceptedAtMs: number,
  saleId: string,
  seq: number,
];
export type RedriveRow = readonly [
  kind: "r",
  ...order: Ordered,
  generation: number,
  traceparent?: Traceparent,
];
export type Row = OrderRow | SkipRow;

// Limits. Each is generous for a person and small for the system; together they keep an order below
// 2.5 KiB.
export const { MAX_LINES, MAX_QTY, MAX_SEQ, MAX_MONEY_MINOR } = LIMITS;
export const MAX_METADATA_BYTES = 1_024;
export const MAX_PAYMENT_LENGTH = 256;
/** Users, sales and skus: what needs no escaping in JSON, in a Redis key or in a routing key. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/**
 * The row as JSON text. Its fingerprint is XXH64, 16 hex digits, over all the client chose: what
 * makes two sends of one id the same order. It tells a user's own resend from a changed one, and is
 * no defence against that user, who can only confuse himself. Names and ids are free of anything to
 * escape; the opaque strings are escaped. The trace is no part of what was ordered.
 */
export function orderRowText(order: Order, acceptedAtMs: number, trace?: Traceparent): string {
  const tail = tailText(order);
  const end = trace === undefined ? tail : `${tail.slice(0, -1)},"${trace}"]`;
  return `["o","${order.user}","${order.id}","${hash(tail)}",${acceptedAtMs},${end}`;
}

/** The row from the sale on: what the client chose besides its name and the order's id. */
function tailText(order: Order): string {
  let lines = "";
  for (const line of order.lines) lines += `${lines === "" ? "" : ","}"${line.sku}",${line.qty}`;
  const payment = order.payment === "" ? '""' : JSON.stringify(order.payment);
  const metadata = order.metadata === "" ? '""' : JSON.stringify(order.metadata);
  return `"${order.saleId}",${order.seq},"${order.currency}",[${lines}],${payment},${metadata},${order.maxTotal}]`;
}

function hash(text: string): string {
  return Bun.hash.xxHash64(text).toString(16).padStart(16, "0");
}

/** An order's row under a new generation; its number is used up. */
export function redriveRowText(row: OrderRow, generation: number): string {
  const [
    ,
    user,
    id,
    fingerprint,
    acceptedAtMs,
    saleId,
    ,
    currency,
    lines,
    payment,
    metadata,
    maxTotal,
    trace,
  ] = row;
  const again = [
    "r",
    user,
    id,
    fingerprint,
    acceptedAtMs,
    saleId,
    0,
    currency,
    lines,
    payment,
    metadata,
    maxTotal,
    generation,
  ];
  return JSON.stringify(trace === undefined ? again : [...again, trace]);
}

/** The order that a redriven row tries again. */
export function redrivenOrder(row: RedriveRow): OrderRow {
  const [
    ,
    user,
    id,
    fingerprint,
    acceptedAtMs,
    saleId,
    seq,
    currency,
    lines,
    payment,
    metadata,
    maxTotal,
    ,
    trace,
  ] = row;
  const order = [
    "o",
    user,
    id,
    fingerprint,
    acceptedAtMs,
    saleId,
    seq,
    currency,
    lines,
    payment,
    metadata,
    maxTotal,
  ] as const;
  return trace === undefined ? order : [...order, trace];
}

export function cancelRowText(user: string, id: string, acceptedAtMs: number): string {
  return `["c","${user}","${id}","",${acceptedAtMs},"",0]`;
}

export function skipRowText(skip: Skip, acceptedAtMs: number): string {
  return `["s","${skip.user}","","",${acceptedAtMs},"${skip.saleId}",${skip.seq}]`;
}
