// Runs the same specification in Quint's own simulator, to check that ours takes no other steps and
// misses none: each of Quint's steps must be among all that ours finds from the same state.
import type { QuintEx } from "@informalsystems/quint";
import { newRng } from "@informalsystems/quint/dist/src/rng.js";
import { Evaluator } from "@informalsystems/quint/dist/src/runtime/impl/evaluator.js";
import { newTraceRecorder } from "@informalsystems/quint/dist/src/runtime/trace.js";
import { Everything } from "./choices.ts";
import type { Spec } from "./spec.ts";
import { isList, QuintMap, QuintSet, textOf, type Value } from "./values.ts";
import type { Walk } from "./walk.ts";

/** A walk by Quint's simulator, as states. `init`: an action of the specification. */
export function quintWalk(spec: Spec, init: string, steps: number, seed: number): Value[] {
  const rng = newRng(BigInt(seed));
  const recorder = newTraceRecorder(0, rng, 1);
  const evaluator = new Evaluator(spec.table as never, recorder, rng, false);
  const yes = { id: 0n, kind: "bool", value: true } as const;
  const { bestTraces, errors } = evaluator.simulate(
    spec.nameOf(init),
    spec.nameOf("step"),
    yes,
    [],
    1,
    steps,
    1,
  );
  if (errors.length > 0) throw new Error(errors[0]?.message);
  return (bestTraces[0]?.states ?? []).map((state) => fieldsOf(state, valueIn).s as Value);
}

/** Calls a definition of the specification in Quint's own evaluator. Lists are not tuples. */
export class QuintCalls {
  private readonly evaluator: Evaluator;

  constructor(private readonly spec: Spec) {
    const rng = newRng(1n);
    this.evaluator = new Evaluator(spec.table as never, newTraceRecorder(0, rng, 1), rng, false);
  }

  call(definition: string, ...args: readonly (Value | QuintEx)[]): QuintEx {
    const { spec } = this;
    const operands = args.map((arg) =>
      isExpression(arg) ? renewed(spec, arg) : expressionOf(spec, arg),
    );
    const result = this.evaluator.evaluate(spec.callOf(definition, operands));
    if (result.isLeft()) throw new Error(result.value.message);
    return result.value as QuintEx;
  }
}

/** An expression that Quint returned. */
function isExpression(value: Value | QuintEx): value is QuintEx {
  return typeof value === "object" && "kind" in value && typeof fieldId(value) === "bigint";
}
const fieldId = (value: object): unknown => (value as { readonly id?: unknown }).id;

/** The same expression under ids of its own: Quint remembers expressions by their ids. */
function renewed(spec: Spec, ex: QuintEx): QuintEx {
  const id = spec.newId();
  if (ex.kind !== "app") return { ...ex, id };
  return { ...ex, id, args: ex.args.map((arg) => renewed(spec, arg)) };
}

function expressionOf(spec: Spec, value: Value): QuintEx {
  const id = spec.newId();
  if (typeof value === "number") return { id, kind: "int", value: BigInt(value) };
  if (typeof value === "boolean") return { id, kind: "bool", value };
  if (typeof value === "string") return { id, kind: "str", value };
  const app = (opcode: string, args: readonly Value[]): QuintEx => ({
    ...{ id, kind: "app", opcode, args: args.map((arg) => expressionOf(spec, arg)) },
  });
  if (isList(value)) return app("List", value);
  if (value instanceof QuintSet) return app("Set", [...value.byKey.values()]);
  if (value instanceof QuintMap) {
    const pairs = [...value.byKey.values()].map((pair): QuintEx => {
      const args = pair.map((item) => expressionOf(spec, item));
      return { id: spec.newId(), kind: "app", opcode: "Tup", args };
    });
    return { id, kind: "app", opcode: "Map", args: pairs };
  }
  return app("Rec", Object.entries(value).flat() as Value[]);
}

/** Every state that a step leads to, by its text. */
export function successors(spec: Spec, state: Value): Set<string> {
  return new Set(stepsFrom(spec, state).keys());
}

/** The same walk, with the name of each action. */
export function quintSteps(spec: Spec, init: string, steps: number, seed: number): Walk {
  const [first, ...states] = quintWalk(spec, init, steps, seed) as [Value, ...Value[]];
  let before = first;
  const labelled: Walk["steps"][number][] = [];
  for (const state of states) {
    if (textOf(state) === textOf(before)) continue;
    const step = stepsFrom(spec, before).get(textOf(state));
    if (!step) throw new Error("Quint took a step that is not found here");
    labelled.push(step);
    before = step.state;
  }
  return { first, steps: labelled, seen: undefined };
}

/** Every step from a state, by the text of the state that it leads to. */
function stepsFrom(spec: Spec, state: Value): Map<string, Walk["steps"][number]> {
  const everything = new Everything();
  spec.world.choices = everything;
  const found = new Map<string, Walk["steps"][number]>();
  do {
    const next = spec.world.step(spec.call.step as () => Value, state);
    if (next === undefined) continue;
    const { label, path } = spec.world;
    found.set(textOf(next), { label, path, state: next });
  } while (everything.next());
  return found;
}

function fieldsOf<T>(ex: QuintEx, each: (ex: QuintEx) => T): Record<string, T> {
  if (ex.kind !== "app") throw new Error(`${ex.kind} is no record`);
  const { args } = ex;
  const fields: [string, T][] = [];
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i];
    if (name?.kind === "str") fields.push([name.value, each(args[i + 1] as QuintEx)]);
  }
  return Object.fromEntries(fields);
}

export function valueIn(ex: QuintEx): Value {
  if (ex.kind === "int") return Number(ex.value);
  if (ex.kind === "bool" || ex.kind === "str") return ex.value;
  if (ex.kind !== "app") throw new Error(`${ex.kind} is no value`);
  switch (ex.opcode) {
    case "Rec":
      return fieldsOf(ex, valueIn);
    case "Set":
      return QuintSet.of(ex.args.map(valueIn));
    case "Map":
      return QuintMap.of(ex.args.map(valueIn) as unknown as [Value, Value][]);
    case "Tup":
    case "List":
      return ex.args.map(valueIn);
    default:
      throw new Error(`${ex.opcode} makes no value`);
  }
}
