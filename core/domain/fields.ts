// The table of a message's fields. A message on `orders.<shard>` is a JSON object of columns,
// `{"v": 1, "order": […], "at": […], …}`: value i of each column belongs to row i. The encoder
// (message-writer.ts), the decoder (message.ts) and the checks in TypeScript and Lua are built from
// this table.
//
//   1. A column has a value for every row, or is absent: then every row has the field's default.
//      Exceptions are `sku` and `qty`, which list the lines of all rows in sequence; `lines` counts
//      the lines of each row.
//   2. The gateway publishes the text once; Redis decodes and the ledger keeps the same text.
import { LIMITS } from "./limits.ts";

/** The version that is written. Version 0 was rows read by position (rows-v0.ts). */
export const MESSAGE_VERSION = 1;

/**
 * Kinds of rows, one letter each in the text `kind`. Absent: every row is an order. `redrive`: an
 * order decided again after its payment failed. `answer`: an answer about a charge. `part`: a
 * service's report on its part of a paid order.
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
 * How a value is checked. `order`: a name, one space, a UUID. `name`: text that needs no escaping
 * in JSON, Redis keys and routing keys. `text`: opaque. `whole`: an integer within bounds.
 */
export type FieldType = "order" | "name" | "text" | "whole" | "trace" | "answer" | "report";

export interface Field {
  readonly type: FieldType;
  /** The value of a row for which the column is absent. */
  readonly default: "" | 0;
  /** Largest value of a `whole`; the least is 0. */
  readonly most?: number;
  /** Kinds of rows that may have a value other than the default. */
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
    meaning: "1 at first, one more with each redrive",
  },
  attempt: {
    type: "whole",
    default: 0,
    most: LIMITS.MAX_COUNT,
    kinds: ["answer"],
    meaning: "the attempt to charge, from 1",
  },
  answer: {
    type: "answer",
    default: "",
    kinds: ["answer"],
    meaning: "the answer about the attempt",
  },
  detail: { type: "text", default: "", kinds: ["answer"], meaning: "the provider's reason" },
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
    meaning: "with `later`: the request that is put off",
  },
} as const satisfies Readonly<Record<string, Field>>;

export type FieldName = keyof typeof FIELDS;
export const FIELD_NAMES = Object.keys(FIELDS) as FieldName[];

/** Columns that list the lines of all orders. */
export const LINE_FIELDS = {
  sku: { type: "name", meaning: "item of each line" },
  qty: { type: "whole", most: LIMITS.MAX_QTY, meaning: "units of each line, from 1" },
} as const;

/** The id in a row that is about no order: a skip. */
export const NIL_ID = "00000000-0000-0000-0000-000000000000";
