// An order as the system carries it: checked at the edge, then a row of a message (message.ts),
// which Redis decodes and the ledger keeps as it was published.
import { LIMITS } from "./limits.ts";

export type Sku = string;
export interface Line {
  readonly sku: Sku;
  /** Units, 1 to MAX_QTY. */
  readonly qty: number;
}

/** A checked order. Its strings keep the limits below, so a row needs no further checks. */
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

// Limits. Each is generous for a person and small for the system; together they keep an order below
// 2.5 KiB.
export const { MAX_LINES, MAX_QTY, MAX_SEQ, MAX_MONEY_MINOR } = LIMITS;
export const MAX_METADATA_BYTES = 1_024;
export const MAX_PAYMENT_LENGTH = 256;
/** Users, sales and skus: what needs no escaping in JSON, in a Redis key or in a routing key. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/**
 * What makes two sends of one id the same order: XXH64, 16 hex digits, over all that the client
 * chose. It tells a user's own resend from a changed one and is no defence against that user, who
 * can only confuse themselves. The text that is hashed is the one of format 0, so that an order
 * resent during an upgrade is recognised.
 */
export function fingerprintOf(order: Order): string {
  let lines = "";
  for (const line of order.lines) lines += `${lines === "" ? "" : ","}"${line.sku}",${line.qty}`;
  const payment = order.payment === "" ? '""' : JSON.stringify(order.payment);
  const metadata = order.metadata === "" ? '""' : JSON.stringify(order.metadata);
  const text = `"${order.saleId}",${order.seq},"${order.currency}",[${lines}],${payment},${metadata},${order.maxTotal}]`;
  return Bun.hash.xxHash64(text).toString(16).padStart(16, "0");
}
