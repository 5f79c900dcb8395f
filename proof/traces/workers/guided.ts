// Walks through the specification that real workers take at the same time. Each step is drawn at
// random among those that the specification allows and a real worker can take where it is.
import { Random } from "../../protocol/choices.ts";
import type { Spec } from "../../protocol/spec.ts";
import type { Value } from "../../protocol/values.ts";
import { firstState } from "../../protocol/walk.ts";
import { specState } from "../world-state.ts";
import { type Follower, type Forced, type Step, stepOf } from "./follower.ts";
import { Parted } from "./rebuild-acts.ts";

export interface GuidedOptions {
  readonly without?: readonly string[];
  readonly scope: string;
  readonly seed: number;
  readonly maxSteps: number;
}

export interface Guided {
  /** Steps taken. */
  readonly labels: readonly string[];
  /** How often a step was drawn that a real worker cannot take, by reason. */
  readonly left: ReadonlyMap<string, number>;
  /** The first difference; undefined: none. */
  readonly flaw: string | undefined;
}

/** Draws in succession that may be impossible. */
const TRIES = 80;

export async function guide(
  spec: Spec,
  follower: Follower,
  options: GuidedOptions,
): Promise<Guided> {
  const { without = [], scope, seed, maxSteps } = options;
  spec.world.choices = new Random(seed);
  const look = () => undefined;
  let state = firstState(spec, { without, scope, look, maxSteps });
  const labels: string[] = [];
  const left = new Map<string, number>();
  const so = (flaw: string | undefined) => ({ labels, left, flaw });
  const start = await follower.begins(specState(state));
  if (start) return so(`at the start: ${start}`);
  try {
    while (labels.length < maxSteps) {
      const drawn = draw(spec, follower, state, left);
      if (!drawn) break;
      for (let next: Drawn | undefined = drawn; next; next = forced(spec, follower, state)) {
        labels.push(next.step.label);
        const flaw = await follower.take(next.step);
        state = next.state;
        if (flaw) return so(`${labels.length}. ${next.step.label}: ${flaw}`);
      }
      const flaw = await follower.differs(specState(state));
      if (flaw) return so(`${labels.length}. ${labels.at(-1)}: ${flaw}`);
    }
  } catch (error) {
    if (!(error instanceof Parted)) throw error;
  }
  return so(undefined);
}

interface Drawn {
  readonly step: Step;
  readonly state: Value;
}

function draw(
  spec: Spec,
  follower: Follower,
  state: Value,
  left: Map<string, number>,
): Drawn | undefined {
  for (let tried = 0; tried < TRIES; tried++) {
    const next = spec.world.step(spec.call.step as () => Value, state);
    // Nothing is possible with what was chosen, or nothing changes.
    if (next === undefined || next === state) continue;
    const step = stepOf(spec.world.label, specState(state), specState(next));
    const reason = follower.impossible(step);
    if (reason === undefined) return { step, state: next };
    left.set(reason, (left.get(reason) ?? 0) + 1);
  }
  return undefined;
}

/** What a worker has done with the last step, or does at once. */
function forced(spec: Spec, follower: Follower, state: Value): Drawn | undefined {
  const wanted = follower.forced(specState(state));
  if (!wanted) return undefined;
  for (let tried = 0; tried < TRIES; tried++) {
    const next = spec.world.step(() => call(spec, wanted), state);
    if (next === undefined) break;
    const step = stepOf(spec.world.label, specState(state), specState(next));
    if (wanted.so?.(step.after) ?? true) return { step, state: next };
  }
  throw new Error(`the specification does not allow ${wanted.name}(${wanted.args})`);
}

const call = (spec: Spec, { name, args }: Forced): Value =>
  (spec.call[name] as (...args: Value[]) => Value)(...(args as Value[]));
