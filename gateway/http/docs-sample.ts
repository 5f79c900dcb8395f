// A body to begin with, from a schema of the OpenAPI description: its example, or the members that
// are required.
import { OPENAPI } from "./openapi.ts";

interface Schema {
  readonly $ref?: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

export function sampleOf(schema: object): string {
  return JSON.stringify(exampleOf(schema as Schema), undefined, 2);
}

function exampleOf(schema: Schema): unknown {
  if (schema.$ref !== undefined) return exampleOf(named(schema.$ref));
  const given = [schema.examples?.[0], schema.default, schema.const, schema.enum?.[0]];
  const first = given.find((value) => value !== undefined);
  if (first !== undefined) return first;
  const [either] = schema.oneOf ?? schema.anyOf ?? [];
  if (either) return exampleOf(either);
  switch (schema.type) {
    case "object":
      return Object.fromEntries(members(schema).map(([name, of]) => [name, exampleOf(of)]));
    case "array":
      return schema.items ? [exampleOf(schema.items)] : [];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return false;
    default:
      return schema.format === "date-time" ? "2030-01-01T00:00:00Z" : "";
  }
}

function members({ properties = {}, required = [] }: Schema): [string, Schema][] {
  return Object.entries(properties).filter(([name]) => required.includes(name));
}

function named(ref: string): Schema {
  const { schemas } = OPENAPI.components as { schemas: Record<string, Schema> };
  return schemas[ref.split("/").at(-1) ?? ""] ?? {};
}
