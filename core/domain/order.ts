// An order as the system carries it: checked by the gateway, then a row of a message (message.ts).
// Redis decodes the message, and the ledger keeps it as published.
import { LIMITS } from "./limits.ts";

export type Sku = string;
export interface Line {
  readonly sku: Sku;
  /** Units, 1 to MAX_QTY. */
  readonly qty: number;
}

/** A checked order. Its strings respect the limits below, so a row needs no further checks. */
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
  /** Opaque token for the payment provider; empty if absent. */
  readonly payment: string;
  /** JSON text of the client's metadata; empty if absent. */
  readonly metadata: string;
  /** Minor units of `currency`; 0: no maximum. */
  readonly maxTotal: number;
}

/** Gives a number up, so later numbers of the user need not wait for it. */
export interface Skip {
  readonly user: string;
  readonly saleId: string;
  readonly seq: number;
}

// Each limit is generous for a person and small for the system. Together they keep an order below
// 2.5 KiB.
export const { MAX_LINES, MAX_QTY, MAX_SEQ, MAX_MONEY_MINOR } = LIMITS;
export const MAX_METADATA_BYTES = 1_024;
export const MAX_PAYMENT_LENGTH = 256;
/** Users, sales and skus: text that needs no escaping in JSON, Redis keys and routing keys. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
export const NAME_RULE =
  "1 to 64 letters of ASCII, digits, '.', '_', '@' and '-', beginning with a letter or digit";

/**
 * The fingerprint of an order: XXH64, 16 hex digits, over everything the client chose. It tells a
 * resent order from a changed one with the same id. It does not defend against the user, who could
 * only harm their own orders. It hashes the text of format 0, so orders resent during an upgrade
 * are recognized.
 */
export function fingerprintOf(order: Order): string {
  let lines = "";
  for (const line of order.lines) lines += `${lines === "" ? "" : ","}"${line.sku}",${line.qty}`;
  const payment = order.payment === "" ? '""' : JSON.stringify(order.payment);
  const metadata = order.metadata === "" ? '""' : JSON.stringify(order.metadata);
  const { saleId, seq, currency, maxTotal } = order;
  const text = `"${saleId}",${seq},"${currency}",[${lines}],${payment},${metadata},${maxTotal}]`;
  return Bun.hash.xxHash64(text).toString(16).padStart(16, "0");
}
