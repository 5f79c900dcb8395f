// Runs the specification of the protocol: every scope, where no invariant may break; every variant,
// where one must; and every witness, which must be reached. Reports as it goes.
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Random } from "./choices.ts";
import { INVARIANTS, NAMES, SCOPES, WITNESSES } from "./names.ts";
import { type Found, search, type Until } from "./search.ts";
import { loadSpec, type Spec } from "./spec.ts";
import { VARIANTS } from "./variants.ts";
import { broken, reached } from "./walk.ts";

export interface RunOptions {
  readonly runtime: Pick<Runtime, "monotonicMs">;
  /** The first seed. */
  readonly seed: number;
  /** How long to walk through the protocol, all scopes together. */
  readonly protocolMs: number;
  /** How long to look for one variant's counterexample, or for one witness. */
  readonly eachMs: number;
  /** Prints the steps of each counterexample. */
  readonly steps: boolean;
  readonly print: (line: string) => void;
}

export function loadProtocol(): Spec {
  return loadSpec("protocol.qnt", NAMES, new Random(1));
}

/** Returns what is wrong: empty if the protocol holds and every variant breaks. */
export function run(spec: Spec, options: RunOptions): string[] {
  return [
    ...protocolFlaws(spec, options),
    ...witnessFlaws(spec, options),
    ...variantFlaws(spec, options),
  ];
}

function within({ runtime, seed }: RunOptions, ms: number, seeds: readonly number[] = []): Until {
  const endMs = runtime.monotonicMs() + ms;
  return { seeds, from: seed, more: () => runtime.monotonicMs() < endMs };
}

function protocolFlaws(spec: Spec, options: RunOptions): string[] {
  const { protocolMs, print } = options;
  const tally = { walks: 0, steps: 0 };
  for (const scope of SCOPES) {
    // EVERYTHING has as much time as all others together.
    const share = scope === "EVERYTHING" ? 2 : 2 * (SCOPES.length - 1);
    const whole = { without: [], scope, look: broken(spec, INVARIANTS) };
    const found = search(spec, whole, within(options, protocolMs / share), tally);
    if (found) return [`the protocol breaks ${describe(found, true)} in ${scope}`];
  }
  print(`the protocol holds: ${tally.walks} walks, ${tally.steps} steps, ${SCOPES.length} scopes`);
  return [];
}

function witnessFlaws(spec: Spec, options: RunOptions): string[] {
  const { eachMs, print } = options;
  const flaws = WITNESSES.flatMap(({ name, scope, seeds }) => {
    const whole = { without: [], scope, look: reached(spec, name) };
    const found = search(spec, whole, within(options, eachMs, seeds));
    return found ? [] : [`no walk reaches ${name} in ${scope}`];
  });
  if (flaws.length === 0) print(`it reaches all ${WITNESSES.length} states that it should`);
  return flaws;
}

function variantFlaws(spec: Spec, options: RunOptions): string[] {
  const { eachMs, print, steps } = options;
  return VARIANTS.flatMap(({ without, scope, breaks, seeds }) => {
    const name = `without ${without.join(" and ")}`;
    const less = { without, scope, look: broken(spec, breaks) };
    const found = search(spec, less, within(options, eachMs, seeds));
    if (!found) return [`${name}: nothing breaks in ${scope}`];
    print(`${name}: ${describe(found, steps)}`);
    return [];
  });
}

function describe({ walk, seed }: Found, withSteps: boolean): string {
  const short = `${walk.seen} after ${walk.steps.length} steps (seed ${seed})`;
  if (!withSteps) return short;
  return [short, ...walk.steps.map(({ label }, i) => `  ${i + 1}. ${label}`)].join("\n");
}
