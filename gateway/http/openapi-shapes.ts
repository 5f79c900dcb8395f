// What shape.ts checks, as OpenAPI describes it: a shape as JSON Schema, and a query's shape as
// parameters.
import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from "@valibot/to-json-schema";
import { CURRENCY, NEW_ITEM, NEW_SALE } from "../admin/sale-form.ts";
import type { Json } from "./openapi-schemas.ts";
import type { Shape } from "./shape.ts";

/** An object's schema. */
export interface ObjectSchema extends Json {
  readonly properties: Readonly<Record<string, Json>>;
  readonly required: readonly string[];
}

/** Shapes that others refer to, by their names in `components.schemas`. */
const NAMED = { Currency: CURRENCY, NewItem: NEW_ITEM, NewSale: NEW_SALE } as const;

const CONFIG: ConversionConfig = {
  target: "draft-2020-12",
  typeMode: "output",
  // Rules that JSON Schema does not have. Metadata says of them what can be said.
  ignoreActions: ["check", "raw_check", "transform", "raw_transform"],
  overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
};

export const NAMED_SCHEMAS = toJsonSchemaDefs(NAMED, CONFIG) as unknown as Record<
  keyof typeof NAMED,
  ObjectSchema
>;

export function shown(shape: Shape): Json {
  const { $schema, $defs, ...schema } = toJsonSchema(shape, { ...CONFIG, definitions: NAMED });
  return schema;
}

/** A query's members, each as a parameter. */
export function queryParameters(shape: Shape): Json[] {
  const { properties, required } = shown(shape) as ObjectSchema;
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    ...(required.includes(name) ? { required: true } : {}),
    schema,
    description,
  }));
}
