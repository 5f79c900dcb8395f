// The one table of a message's fields. A message on `orders.<shard>` is a JSON object of columns,
// `{"v": 1, "order": […], "at": […], "sale": […], …}`: the i-th value of every column belongs to
// the i-th row. The encoder (message-writer.ts), the decoder (message.ts), the checks on both sides
// and docs/messages.md are made from this table.
//
//   1. A column has a value for every row, or is absent: then every row has the field's default.
//      `lines` counts the lines of each row; `sku` and `qty` list the lines of all rows, one after
//      another.
//   2. The text that the gateway publishes is the text that Redis decodes and the ledger keeps.
import { LIMITS } from "./limits.ts";

/** The version of the format that is written. Version 0 was rows read by position (rows-v0.ts). */
export const MESSAGE_VERSION = 1;

/**
 * What a row is, one letter each in the text `kind`. Absent: every row is an order.
 * `redrive`: an order tried again after its payment failed. `answer`: what was heard of a charge.
 * `part`: what a service reports of its part of a paid order.
 */
export const KINDS = {
  order: "o",
  skip: "s",
  cancel: "c",
  redrive: "r",
  answer: "p",
  part: "f",
} as const;
export type Kind = keyof typeof KINDS;

/**
 * How a value is checked. `order`: a name, one space, a UUID. `name`: what needs no escaping in
 * JSON, in a Redis key or in a routing key. `text`: opaque. `whole`: an integer within the bounds.
 */
export type FieldType = "order" | "name" | "text" | "whole" | "trace" | "answer" | "report";

export interface Field {
  readonly type: FieldType;
  /** The value of a row for which the column is absent. */
  readonly default: "" | 0;
  /** Bounds of a `whole`, inclusive. */
  readonly most?: number;
  /** The kinds of rows that may have another value than the default. */
  readonly kinds: readonly Kind[];
  readonly meaning: string;
}

const ORDERS = ["order", "redrive"] as const;
const ALL = ["order", "skip", "cancel", "redrive", "answer", "part"] as const;

export const FIELDS = {
  order: {
    type: "order",
    default: "",
    kinds: ALL,
    meaning: "user and order id with one space between; a skip has the nil UUID",
  },
  at: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_TIME_MS,
    kinds: ALL,
    meaning: "when it was accepted, Unix ms",
  },
  fingerprint: {
    type: "name",
    default: "",
    kinds: ORDERS,
    meaning: "XXH64 of all that the client chose, 16 hex digits",
  },
  sale: { type: "name", default: "", kinds: [...ORDERS, "skip"], meaning: "sale id" },
  seq: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_SEQ,
    kinds: ["order", "skip"],
    meaning: "the user's number in the sale, from 1; 0: unnumbered",
  },
  currency: { type: "name", default: "", kinds: ORDERS, meaning: "ISO 4217 code" },
  lines: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_LINES,
    kinds: ORDERS,
    meaning: "how many lines the order has in `sku` and `qty`",
  },
  payment: {
    type: "text",
    default: "",
    kinds: ORDERS,
    meaning: "opaque token for the payment provider",
  },
  metadata: { type: "text", default: "", kinds: ORDERS, meaning: "JSON text from the client" },
  maxTotal: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_MONEY_MINOR,
    kinds: ORDERS,
    meaning: "most it may cost, minor units; 0: any",
  },
  trace: { type: "trace", default: "", kinds: ORDERS, meaning: "W3C traceparent of the request" },
  generation: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_COUNT,
    kinds: ["redrive", "answer", "part"],
    meaning: "1 for a first try, one more with each redrive",
  },
  attempt: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_COUNT,
    kinds: ["answer"],
    meaning: "the attempt to charge, from 1",
  },
  answer: { type: "answer", default: "", kinds: ["answer"], meaning: "what was heard of it" },
  detail: { type: "text", default: "", kinds: ["answer"], meaning: "the provider's words" },
  part: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_LINES,
    kinds: ["part"],
    meaning: "the part, from 1 to `parts`",
  },
  parts: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_LINES,
    kinds: ["part"],
    meaning: "how many parts the order has",
  },
  report: { type: "report", default: "", kinds: ["part"], meaning: "claim, done or later" },
  service: { type: "name", default: "", kinds: ["part"], meaning: "the service that reports" },
  request: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_COUNT,
    kinds: ["part"],
    meaning: "with `later`: which request for the part is put off",
  },
} as const satisfies Readonly<Record<string, Field>>;

export type FieldName = keyof typeof FIELDS;
export const FIELD_NAMES = Object.keys(FIELDS) as FieldName[];

/** The columns that list the lines of all orders. */
export const LINE_FIELDS = {
  sku: { type: "name", meaning: "item of each line" },
  qty: { type: "whole", most: LIMITS.MAX_QTY, meaning: "units of each line, from 1" },
} as const;

/** The id of a row that is about no order: a skip. */
export const NIL_ID = "00000000-0000-0000-0000-000000000000";
