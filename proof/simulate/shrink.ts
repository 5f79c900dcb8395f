// Makes a failing schedule small: leaves out faults and clients' actions as long as the same rule
// stays broken.
import type { Kept } from "./kept.ts";

/** What is kept, in full. */
type Small = Kept & Required<Pick<Kept, "faults" | "actions">>;

export interface ShrinkOptions {
  /** The rules that a run of it breaks. */
  readonly run: (kept: Kept) => Promise<readonly string[]>;
  /** The most runs. */
  readonly most: number;
  readonly onSmaller?: (kept: Small) => void;
}

/** `failing` is what the whole schedule of this size broke. */
export async function shrink(
  seed: number,
  size: { readonly faults: number; readonly actions: number },
  failing: readonly string[],
  { run, most, onSmaller }: ShrinkOptions,
): Promise<Small> {
  const rules = new Set(failing.map(ruleOf));
  let left = most;
  let best: Small = { seed, faults: upTo(size.faults), actions: upTo(size.actions) };
  const tries = async (kept: Small): Promise<boolean> => {
    if (left-- <= 0) return false;
    const broken = await run(kept);
    if (!broken.some((line) => rules.has(ruleOf(line)))) return false;
    best = kept;
    onSmaller?.(best);
    return true;
  };
  await fewer(best.faults, (faults) => tries({ ...best, faults }));
  await fewer(best.actions, (actions) => tries({ ...best, actions }));
  await fewer(best.faults, (faults) => tries({ ...best, faults }));
  return best;
}

/** A violation without its particulars. */
export function ruleOf(line: string): string {
  const rule = line.split(":")[0] as string;
  return rule.replace(/ \(\d+ times\)$/, "").replaceAll(/\d+/g, "n");
}

/** Leaves out halves, then quarters, and so on down to single items, while `works` says so. */
async function fewer(
  all: readonly number[],
  works: (some: readonly number[]) => Promise<boolean>,
): Promise<void> {
  let kept = all;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    for (let from = 0; from < kept.length; ) {
      const without = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await works(without)) kept = without;
      else from += size;
    }
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
