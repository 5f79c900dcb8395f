// Searches in random walks, with seeds that are known to find something tried first.
import type { Spec } from "./spec.ts";
import { shortened, type Walk, type WalkOptions, walk } from "./walk.ts";

/** Steps of a walk: a store with faults needs some 60 to come to an end. */
const MAX_STEPS = 150;

export interface Until {
  /** Tried first. */
  readonly seeds: readonly number[];
  /** The first of the others. */
  readonly from: number;
  /** Whether to go on, asked before each walk. */
  readonly more: () => boolean;
}

export interface Found {
  readonly seed: number;
  readonly walk: Walk;
}

/** Counts what was done. */
export interface Tally {
  walks: number;
  steps: number;
}

/** Returns the first walk that saw something, shortened; undefined if none did in time. */
export function search(
  spec: Spec,
  options: Omit<WalkOptions, "maxSteps">,
  until: Until,
  tally: Tally = { walks: 0, steps: 0 },
): Found | undefined {
  const all = { ...options, maxSteps: MAX_STEPS };
  for (const seed of seedsOf(until)) {
    const found = walk(spec, all, seed);
    tally.walks++;
    tally.steps += found.steps.length;
    if (found.seen) return { seed, walk: shortened(spec, all, found) };
  }
  return undefined;
}

function* seedsOf({ seeds, from, more }: Until): Generator<number> {
  yield* seeds;
  for (let seed = from; more(); seed++) yield seed;
}
