// Records of scenarios that were run, a JSON line each, so that the report can be made of several
// runs of the command: `sluice chaos --results FILE` appends to it, and the report reads it whole.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { failuresOf } from "./report.ts";
import type { ScenarioResult } from "./runner.ts";
import type { Struck } from "./scenario.ts";

/** A scenario that was run. */
export interface Run {
  readonly name: string;
  /** RFC 3339: when its load began. */
  readonly startedAt: string;
  readonly seed: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly accepted: number;
  readonly answers: { readonly [kind: string]: number };
  readonly drained: boolean;
  readonly drainMs: number;
  /** The machine's load average over a minute: the mean over the bursts, and the most. */
  readonly load: { readonly mean: number; readonly most: number };
  readonly faults: readonly Struck[];
  /** Violations that verify found; absent: it could not judge. */
  readonly violations?: number;
  /** Violations that the independent checker found; absent: it did not run. */
  readonly independent?: number;
  /** Whatever made it fail; empty: it passed. */
  readonly failures: readonly string[];
}

export function runOf(result: ScenarioResult): Run {
  const { name, startedAt, seed, perSecond, seconds, accepted, answers, load } = result;
  const { drained, drainMs, struck, verdict, independent } = result;
  return {
    ...{ name, startedAt, seed, perSecond, seconds, accepted, answers, drained, drainMs, load },
    faults: struck,
    ...(verdict ? { violations: verdict.counts.violations } : {}),
    ...(independent ? { independent: independent.length } : {}),
    failures: failuresOf(result),
  };
}

export function appendRun(file: string, run: Run): void {
  appendFileSync(file, `${JSON.stringify(run)}\n`);
}

export function readRuns(file: string): Run[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Run);
}
