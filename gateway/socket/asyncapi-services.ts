// What services and Sluice send each other over AMQP, as JSON Schema: what docs/fulfilment.md
// explains. Used by asyncapi.ts.
import {
  FIELDS,
  type Field,
  type FieldName,
  KINDS,
  MESSAGE_VERSION,
} from "../../core/domain/fields.ts";
import { LIMITS, PART_WORDS } from "../../core/domain/limits.ts";
import { type Json, list, name, ORDER_ID, object, whole } from "../http/openapi-schemas.ts";

/** Parts in a message. */
const MAX_PARTS = 20;

const count = (description: string): Json => whole(1, LIMITS.MAX_COUNT, description);

const PART: Json = object(
  {
    user: { type: "string", description: "The user's name within Sluice (docs/auth.md)" },
    id: { ...ORDER_ID, description: "The order" },
    saleId: name("The sale"),
    generation: count("1 at first, one more with each redrive"),
    part: count("From 1 to `of`"),
    of: count("How many parts the order has"),
    shard: { type: "integer", minimum: 0, description: "The routing key of a claim" },
    region: { type: "string", description: "Where the order was accepted" },
    lines: list(
      object(
        { sku: name("The item"), qty: whole(1, LIMITS.MAX_QTY), category: name("Its category") },
        ["sku", "qty", "category"],
      ),
      1,
    ),
    metadata: { type: "string", description: "The client's, as JSON text; empty: none" },
    traceparent: { type: "string", description: "W3C Trace Context of the order's request" },
    request: count("Absent: 1. Named when the part is put off"),
    sinceMs: { type: "integer", minimum: 0, description: "When it was first put off, Unix ms" },
  },
  ["user", "id", "saleId", "generation", "part", "of", "shard", "region", "lines", "metadata"],
);

/** Columns of a service's message: value i of each belongs to row i. */
const COLUMNS = [
  ...(["order", "at", "generation", "part", "parts"] as const),
  ...(["report", "service", "request"] as const),
] satisfies readonly FieldName[];

function column(field: FieldName): Json {
  const { meaning } = FIELDS[field];
  return { ...list(schemaOf(FIELDS[field]), 1), description: meaning };
}

function schemaOf({ type, most }: Field): Json {
  if (type === "whole") return whole(0, most ?? Number.MAX_SAFE_INTEGER);
  if (type === "report") return { enum: [...PART_WORDS] };
  return { type: "string" };
}

export const SERVICE_SCHEMAS: Json = {
  Part: PART,
  Parts: list({ $ref: "#/components/schemas/Part" }, 1, MAX_PARTS),
  Reports: object(
    {
      v: { const: MESSAGE_VERSION },
      kind: { type: "string", pattern: `^${KINDS.part}+$`, description: "One letter a row" },
      ...Object.fromEntries(COLUMNS.map((field) => [field, column(field)])),
    },
    ["v", "kind", ...COLUMNS.filter((field) => field !== "request")],
  ),
  Answers: {
    type: "object",
    properties: {
      batches: list({
        type: "array",
        prefixItems: [
          { type: "string", description: "The message id of the reports" },
          { type: "string", description: "A word for each row, separated by commas" },
        ],
        minItems: 2,
        maxItems: 2,
      }),
    },
    required: ["batches"],
  },
};
