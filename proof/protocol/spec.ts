// Parses the specification with Quint and compiles what the runner needs of it.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  fileSourceResolver,
  newIdGenerator,
  parse,
  type QuintEx,
  type QuintOpDef,
} from "@informalsystems/quint";
import type { Choices } from "./choices.ts";
import { Compiler, type Table, World } from "./compile.ts";
import type { Value } from "./values.ts";

export const PROTOCOL_DIR = join(import.meta.dir, "..", "..", "docs", "protocol");

export interface Spec {
  readonly world: World;
  /** The definitions that were asked for. */
  readonly call: Record<string, (...args: Value[]) => Value>;
  readonly table: Table;
  /** An expression that names a definition, for Quint's own simulator. */
  nameOf(definition: string): QuintEx;
  /** An expression that calls a definition. */
  callOf(definition: string, args: readonly QuintEx[]): QuintEx;
  newId(): bigint;
}

/** `names`: the definitions that the caller will use, of this module or those it imports. */
export function loadSpec(file: string, names: readonly string[], choices: Choices): Spec {
  const path = join(PROTOCOL_DIR, file);
  const main = fileSourceResolver(new Map()).lookupPath(dirname(path), `./${file}`);
  const ids = newIdGenerator();
  const parsed = parse(ids, path, main, readFileSync(path, "utf8"));
  if (parsed.errors.length > 0)
    throw new Error(parsed.errors.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  const all = parsed.modules.flatMap(({ declarations }) =>
    declarations.filter((d): d is QuintOpDef => d.kind === "def"),
  );
  const named = new Map(all.map((definition) => [definition.name, definition]));
  const found = new Map(names.map((name) => [name, definitionIn(named, name)]));
  const world = new World(choices);
  const nameOf = (name: string): QuintEx => {
    const id = ids.nextId();
    parsed.table.set(id, definitionIn(named, name));
    return { id, kind: "name", name };
  };
  const callOf = (opcode: string, args: readonly QuintEx[]): QuintEx => {
    const id = ids.nextId();
    parsed.table.set(id, definitionIn(named, opcode));
    return { id, kind: "app", opcode, args: [...args] };
  };
  const newId = () => ids.nextId();
  const call = new Compiler(parsed.table).link(found, world);
  return { world, call, table: parsed.table, nameOf, callOf, newId };
}

function definitionIn(all: ReadonlyMap<string, QuintOpDef>, name: string): QuintOpDef {
  const definition = all.get(name);
  if (!definition) throw new Error(`docs/protocol has no ${name}`);
  return definition;
}
