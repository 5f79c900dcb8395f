// Checks what a client sent as an order or a skip. All later code relies on the result: names need
// no escaping, numbers are whole and bounded, the sale and its items exist.

import { CURRENCIES } from "../../core/domain/currency.ts";
import {
  type Line,
  MAX_LINES,
  MAX_METADATA_BYTES,
  MAX_MONEY_MINOR,
  MAX_PAYMENT_LENGTH,
  MAX_QTY,
  MAX_SEQ,
  type Order,
  type Skip,
} from "../../core/domain/order.ts";
import { judgeOrderId } from "../../core/domain/order-id.ts";
import { nameOfUser, USER_RULE } from "../../core/domain/user-name.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import type { Catalogue, KnownSale } from "../catalogue.ts";
import { echo, Problem, problem } from "../http/problem.ts";

const ORDER_FIELDS: ReadonlySet<string> = new Set([
  "id",
  "user",
  "saleId",
  "seq",
  "currency",
  "lines",
  "payment",
  "metadata",
  "maxTotal",
]);
const LINE_FIELDS: ReadonlySet<string> = new Set(["sku", "qty"]);
const SKIP_FIELDS: ReadonlySet<string> = new Set(["user", "saleId", "seq"]);
/** The shortest order possible has at least this many characters. */
const MIN_ORDER_CHARS = 64;
/** This few are not checked for it: they are no flood, and each answer names its mistake. */
const FEW_ORDERS = 8;

/**
 * Each order has an answer of up to 350 characters. Without this rule a request of 1 kB with 500
 * times `1` would be answered with 175 kB.
 */
export function tooManyFor(chars: number, orders: number): Problem | undefined {
  return orders > FEW_ORDERS && chars < orders * MIN_ORDER_CHARS
    ? new Problem("out_of_range", "orders", `${orders} orders do not fit in ${chars} characters`)
    : undefined;
}

/**
 * Opaque, but only printable ASCII: other characters are mistakes, and control characters break
 * later readers.
 */
const PAYMENT = /^[\x20-\x7e]+$/;

type Raw = Record<string, unknown>;

/**
 * The order, or the first problem found. `headerId` is the Idempotency-Key, which may replace `id`.
 */
export function checkOrder(
  value: unknown,
  principal: Principal,
  headerId: string | null,
  catalogue: Pick<Catalogue, "get">,
  nowMs: number,
): Order | Problem {
  if (!isObject(value)) return problem("not_an_object");
  for (const key in value)
    if (!ORDER_FIELDS.has(key)) return new Problem("unknown_field", echo(key));
  const {
    id = headerId ?? undefined,
    saleId,
    currency,
    lines,
    payment,
    metadata,
    maxTotal,
  } = value;
  if (headerId !== null && id !== headerId)
    return problem("out_of_range", "Idempotency-Key", "differs from the body's id");
  const wrongId = checkId(id, nowMs);
  if (wrongId) return wrongId;
  const user = buyerOf(value, principal);
  if (user instanceof Problem) return user;
  const known = saleOf(saleId, catalogue);
  if (known instanceof Problem) return known;
  const seq = value.seq === undefined ? 0 : checkSeq(value.seq);
  if (seq instanceof Problem) return seq;
  if (typeof currency !== "string") return missingOrType(currency, "currency", "a string");
  if (!CURRENCIES.has(currency))
    return problem("unknown_currency", "currency", "an ISO 4217 code in capitals");
  const wrongLines = checkLines(lines, known);
  if (wrongLines) return wrongLines;
  if (payment !== undefined) {
    if (typeof payment !== "string") return problem("wrong_type", "payment", "a string");
    if (payment.length > MAX_PAYMENT_LENGTH || !PAYMENT.test(payment))
      return problem(
        "out_of_range",
        "payment",
        `1 to ${MAX_PAYMENT_LENGTH} printable ASCII characters`,
      );
  }
  const metadataText = metadata === undefined ? "" : checkMetadata(metadata);
  if (metadataText instanceof Problem) return metadataText;
  if (maxTotal !== undefined && !isWhole(maxTotal, MAX_MONEY_MINOR))
    return notWhole(maxTotal, "maxTotal", `minor units, 1 to ${MAX_MONEY_MINOR}`);
  return {
    user,
    id: id as string,
    saleId: saleId as string,
    seq,
    currency,
    lines: lines as Line[],
    payment: payment ?? "",
    metadata: metadataText,
    maxTotal: maxTotal ?? 0,
  };
}

/** The skip, or the first problem found. */
export function checkSkip(
  value: unknown,
  principal: Principal,
  catalogue: Catalogue,
): Skip | Problem {
  if (!isObject(value)) return problem("not_an_object");
  for (const key in value)
    if (!SKIP_FIELDS.has(key)) return new Problem("unknown_field", echo(key));
  const user = buyerOf(value, principal);
  if (user instanceof Problem) return user;
  const known = saleOf(value.saleId, catalogue);
  if (known instanceof Problem) return known;
  const seq = checkSeq(value.seq);
  return seq instanceof Problem ? seq : { user, saleId: known.sale.id, seq };
}

export function isObject(value: unknown): value is Raw {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Why an id is refused. */
export function checkId(id: unknown, nowMs: number): Problem | undefined {
  if (typeof id !== "string")
    return missingOrType(id, "id", "a UUIDv7, here or as Idempotency-Key");
  switch (judgeOrderId(id, nowMs)) {
    case "ok":
      return undefined;
    case "malformed":
      return problem("out_of_range", "id", "a UUIDv7 in lower case");
    case "stale":
      return problem("stale_id", "id", "its time is more than 10 minutes ago");
    case "future":
      return problem("future_id", "id", "its time is more than 1 minute ahead");
  }
}

/** The buyer: the token's subject, unless a service names another user. */
export function buyerOf(value: Raw, principal: Principal): string | Problem {
  const { user } = value;
  if (user === undefined) return principal.user;
  if (typeof user !== "string") return problem("wrong_type", "user", "a string");
  if (!may(principal, "order_for"))
    return problem("forbidden", "user", "only a token with service scope may name the user");
  return nameOfUser(user) ?? problem("out_of_range", "user", USER_RULE);
}

function saleOf(saleId: unknown, catalogue: Pick<Catalogue, "get">): KnownSale | Problem {
  if (typeof saleId !== "string") return missingOrType(saleId, "saleId", "a string");
  return catalogue.get(saleId) ?? problem("unknown_sale", "saleId");
}

function checkSeq(seq: unknown): number | Problem {
  return isWhole(seq, MAX_SEQ) ? seq : notWhole(seq, "seq", `1 to ${MAX_SEQ}`);
}

function checkLines(lines: unknown, { initial }: KnownSale): Problem | undefined {
  if (!Array.isArray(lines)) return missingOrType(lines, "lines", "an array");
  if (lines.length === 0 || lines.length > MAX_LINES)
    return problem("out_of_range", "lines", `1 to ${MAX_LINES} lines`);
  for (let i = 0; i < lines.length; i++) {
    const line: unknown = lines[i];
    if (!isObject(line)) return problem("wrong_type", `lines[${i}]`, "an object");
    for (const key in line)
      if (!LINE_FIELDS.has(key)) return new Problem("unknown_field", `lines[${i}].${echo(key)}`);
    const { sku, qty } = line;
    if (typeof sku !== "string") return missingOrType(sku, `lines[${i}].sku`, "a string");
    if (!initial.has(sku)) return problem("unknown_item", `lines[${i}].sku`);
    if (!isWhole(qty, MAX_QTY)) return notWhole(qty, `lines[${i}].qty`, `1 to ${MAX_QTY}`);
    // A cast, since this is on the hot path and earlier lines are checked.
    for (let j = 0; j < i; j++)
      if ((lines[j] as Line).sku === sku) return problem("duplicate_item", `lines[${i}].sku`);
  }
  return undefined;
}

/** The metadata as JSON text. */
function checkMetadata(metadata: unknown): string | Problem {
  if (!isObject(metadata)) return problem("wrong_type", "metadata", "an object");
  const text = JSON.stringify(metadata);
  if (text.length > MAX_METADATA_BYTES || Buffer.byteLength(text) > MAX_METADATA_BYTES)
    return problem("out_of_range", "metadata", `at most ${MAX_METADATA_BYTES} bytes of JSON`);
  // It stays text here, but a later reader will parse it and copy its members.
  if (text.includes('"__proto__"')) return problem("unknown_field", "metadata.__proto__");
  return text;
}

function isWhole(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most;
}

function notWhole(value: unknown, field: string, detail: string): Problem {
  return typeof value === "number"
    ? problem("out_of_range", field, `a whole number, ${detail}`)
    : missingOrType(value, field, "a number");
}

function missingOrType(value: unknown, field: string, type: string): Problem {
  return value === undefined ? problem("missing_field", field) : problem("wrong_type", field, type);
}
