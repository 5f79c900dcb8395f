// Random walks through a specification: from the first state, one step after another, until
// something is seen that was looked for, or the walk is long enough. What was found is shortened.
import { Again, Random } from "./choices.ts";
import type { Spec } from "./spec.ts";
import { QuintSet, type Value } from "./values.ts";

export interface WalkOptions {
  readonly without: readonly string[];
  readonly scope: string;
  /** A walk ends at a state for which this returns something: what is broken, or was looked for. */
  readonly look: (state: Value) => string | undefined;
  readonly maxSteps: number;
}

interface Step {
  readonly label: string;
  readonly path: readonly number[];
  readonly state: Value;
}

export interface Walk {
  readonly first: Value;
  readonly steps: readonly Step[];
  /** What was seen in the last state. */
  readonly seen: string | undefined;
}

export function firstState({ call }: Spec, { without, scope }: WalkOptions): Value {
  return call.first?.(QuintSet.of(without), call[scope]?.() as Value) as Value;
}

export function walk(spec: Spec, options: WalkOptions, seed: number): Walk {
  const { world } = spec;
  world.choices = new Random(seed);
  const first = firstState(spec, options);
  const steps: Step[] = [];
  for (let i = 0, state = first; i < options.maxSteps; i++) {
    const next = world.step(takeOf(spec), state);
    if (next === undefined) break;
    if (next === state) continue;
    state = next;
    steps.push({ label: world.label, path: world.path, state });
    const seen = options.look(state);
    if (seen) return { first, steps, seen };
  }
  return { first, steps, seen: undefined };
}

function takeOf({ call }: Spec): () => Value {
  return call.step as () => Value;
}

/** Looks for a broken invariant. */
export function broken({ world, call }: Spec, invariants: readonly string[]): WalkOptions["look"] {
  return (state) => {
    world.state = state;
    return invariants.find((name) => call[name]?.() !== true);
  };
}

/** Looks for a state of which this definition is true. */
export function reached({ world, call }: Spec, name: string): WalkOptions["look"] {
  return (state) => {
    world.state = state;
    return call[name]?.() === true ? name : undefined;
  };
}

/** Leaves out every step without which the same is seen. */
export function shortened(spec: Spec, options: WalkOptions, found: Walk): Walk {
  let best = found;
  for (let left = true; left; ) {
    left = false;
    for (let at = best.steps.length - 2; at >= 0; at--) {
      const kept = best.steps.filter((_, i) => i !== at);
      const shorter = again(spec, options, best.first, kept);
      if (shorter?.seen !== best.seen) continue;
      best = shorter as Walk;
      left = true;
    }
  }
  return best;
}

/** Takes the same actions again; undefined if one of them is not possible. */
function again(
  spec: Spec,
  options: WalkOptions,
  first: Value,
  wanted: readonly Step[],
): Walk | undefined {
  const steps: Step[] = [];
  let state = first;
  for (const { label, path } of wanted) {
    spec.world.choices = new Again(path);
    const next = spec.world.step(takeOf(spec), state);
    if (next === undefined || spec.world.label !== label) return undefined;
    state = next;
    steps.push({ label, path, state });
    const seen = options.look(state);
    if (seen) return { first, steps, seen };
  }
  return { first, steps, seen: undefined };
}
