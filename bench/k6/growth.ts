// Whether the memory of gateway and worker grows over a run.
import type { Usage } from "../intake/usage.ts";

/** Resident MB over a run, and the mean of its last third over that of its first. */
export interface Growth {
  readonly mb: readonly number[];
  readonly ratio: number;
}

/** A heap that does not leak stays below this. */
export const MAX_GROWTH = 1.2;
/** A fresh process fills its heap first; a shorter run shows nothing else. */
export const JUDGED_FROM_S = 120;
const WATCHED = /^(gateway|worker)-/;
const MIB = 2 ** 20;

export class GrowthWatch {
  private readonly samples = new Map<string, number[]>();

  look(usage: ReadonlyMap<string, Usage>): void {
    for (const [part, { rssBytes }] of usage) {
      if (!WATCHED.test(part)) continue;
      const mb = Math.round(rssBytes / MIB);
      this.samples.set(part, [...(this.samples.get(part) ?? []), mb]);
    }
  }

  growths(): Record<string, Growth> {
    const each = [...this.samples].map(([part, mb]) => [part, { mb, ratio: ratioOf(mb) }] as const);
    return Object.fromEntries(each);
  }
}

/** undefined: the run was too short to judge. */
export function steadyMemory(
  growths: Readonly<Record<string, Growth>>,
  seconds: number,
): boolean | undefined {
  if (seconds < JUDGED_FROM_S) return undefined;
  const ratios = Object.values(growths).map(({ ratio }) => ratio);
  return ratios.length > 0 && ratios.every((ratio) => ratio <= MAX_GROWTH);
}

function ratioOf(samples: readonly number[]): number {
  const third = Math.ceil(samples.length / 3);
  return mean(samples.slice(-third)) / mean(samples.slice(0, third));
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
