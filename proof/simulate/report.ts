// What a campaign prints: its figures, each failing seed, and how to continue.
import type { Tally } from "./campaign.ts";
import type { Scenario } from "./profiles.ts";
import type { Outcome } from "./simulation.ts";

/** Lines of the trace that a failure prints. */
const TRACE_LINES = 25;
const HOUR_MS = 3_600_000;

export function figures(tally: Tally): string {
  const { seeds, crashes, faults, orders, steps, simulatedMs, realMs, failed } = tally;
  const seconds = Math.max(0.001, realMs / 1_000);
  const rate = (n: number) => (n / seconds).toFixed(1);
  return (
    `${seeds} seeds (${rate(seeds)}/s), ${crashes} simulated crashes (${rate(crashes)}/s), ` +
    `${faults} faults, ${orders} orders, ${steps} events, ` +
    `${(simulatedMs / HOUR_MS).toFixed(2)} simulated hours in ${seconds.toFixed(1)} s, ` +
    `${failed.length} failing seeds`
  );
}

export interface Campaign {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly scenario?: Scenario | undefined;
}

/** The command for the seeds after those that have run. */
export function goOn({ seeds, jobs, scenario }: Campaign, next: number): string {
  const named = scenario === undefined ? "" : ` --scenario '${scenario}'`;
  return `sluice simulate --from ${next} --seeds ${seeds} --jobs ${jobs}${named}`;
}

export function outcomeLines(outcome: Outcome): string[] {
  const { seed, scenario, hash, steps, crashes, accepted, violations, lines } = outcome;
  const about = `${steps} events, ${crashes} crashes, ${accepted} answered 202`;
  const head = `  seed ${seed} (${scenario}): ${about}, trace ${hash.toString(16)}`;
  if (violations.length === 0) return [`${head}: every invariant held`];
  const trace = lines.slice(-TRACE_LINES).map((line) => `    ${line}`);
  return [head, ...violations.map((line) => `  ✗ ${line}`), "  what ran last:", ...trace];
}

/** The tally without traces. */
export function jsonOf(tally: Tally): object {
  const failed = tally.failed.map(({ lines: _, ...outcome }) => outcome);
  return { ...tally, failed };
}
