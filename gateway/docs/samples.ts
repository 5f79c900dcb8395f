// A body to begin with, for each call of the HTTP API: the example of its schema, or made from it.
import { OPENAPI } from "../http/openapi.ts";

interface Schema {
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
  readonly example?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly minimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** The script puts a new order's id in its place, each time a form is opened. */
export const NEW_ID = "019ac9d2-6c00-7b3e-9f41-2d5c0a7e8b10";
/** What the demo sale of `sluice up` has, so that a first call succeeds there. */
const DEMO: Readonly<Record<string, unknown>> = {
  saleId: "demo",
  sku: "lamp",
  category: "home",
  service: "warehouse",
  reason: "a trial",
  units: 1,
};
/** Deeper than any schema of the HTTP API. */
const DEPTH = 8;

export function sampleOf(schema: unknown): unknown {
  return sample(schema as Schema, "", DEPTH);
}

function sample(schema: Schema, name: string, depth: number): unknown {
  if (depth === 0) return null;
  const { $ref, examples, example, items } = schema;
  if ($ref !== undefined) return sample(schemaOf($ref), name, depth - 1);
  if (examples !== undefined) return onDemo(examples[0]);
  if (example !== undefined) return onDemo(example);
  if (schema.const !== undefined) return schema.const;
  if (name in DEMO) return DEMO[name];
  if (schema.enum) return schema.enum[0];
  const one = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (one) return sample(one, name, depth - 1);
  if (schema.properties) {
    const wanted = new Set(schema.required);
    return Object.fromEntries(
      Object.entries(schema.properties)
        .filter(([member]) => wanted.has(member))
        .map(([member, own]) => [member, sample(own, member, depth - 1)]),
    );
  }
  if (items) return [sample(items, name, depth - 1)];
  switch (schema.type) {
    case "integer":
    case "number":
      return Math.max(1, schema.minimum ?? 1);
    case "boolean":
      return false;
    default:
      return "";
  }
}

function schemaOf(ref: string): Schema {
  const { schemas } = OPENAPI.components as { schemas: Record<string, Schema> };
  return schemas[ref.split("/").at(-1) ?? ""] ?? {};
}

/** An order of the demo sale, where the example has one of a sale of its own. */
function onDemo(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("saleId" in value)) return value;
  const { payment: _, ...order } = value as Record<string, unknown>;
  return { ...order, saleId: DEMO.saleId };
}
