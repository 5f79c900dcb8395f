// Takes the same specification through Quint's own simulator, to see that ours takes no other steps
// and misses none: each of Quint's steps must be among all that ours finds from the same state.
import type { QuintEx } from "@informalsystems/quint";
import { newRng } from "@informalsystems/quint/dist/src/rng.js";
import { Evaluator } from "@informalsystems/quint/dist/src/runtime/impl/evaluator.js";
import { newTraceRecorder } from "@informalsystems/quint/dist/src/runtime/trace.js";
import { Everything } from "./choices.ts";
import type { Spec } from "./spec.ts";
import { QuintMap, QuintSet, textOf, type Value } from "./values.ts";

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

/** Every state that a step leads to, by its text. */
export function successors(spec: Spec, state: Value): Set<string> {
  const everything = new Everything();
  spec.world.choices = everything;
  const found = new Set<string>();
  do {
    const next = spec.world.step(spec.call.step as () => Value, state);
    if (next !== undefined) found.add(textOf(next));
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

function valueIn(ex: QuintEx): Value {
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
