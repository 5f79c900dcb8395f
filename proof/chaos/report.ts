// The result of a scenario, as lines to read. tables.ts makes the page of several.
import { type Paint, verdictLines } from "../verify/report.ts";
import type { ScenarioResult } from "./runner.ts";
import type { Struck } from "./scenario.ts";

/** What makes a scenario fail; empty: it passed. */
export function failuresOf(result: ScenarioResult): string[] {
  const { struck, errors, drained, verdict } = result;
  const without = struck.filter(({ evidence }) => evidence === undefined);
  const never = struck.filter(({ recoveryMs }) => recoveryMs === undefined);
  return [
    ...errors,
    ...without.map(({ fault, failure }) => `${fault}: no evidence: ${failure ?? "none"}`),
    ...never.map(({ fault }) => `${fault}: flow never came back`),
    ...(drained ? [] : ["not drained"]),
    ...(verdict?.violations ?? []).map(
      ({ invariant, what, count }) => `${invariant}: ${what} (${count})`,
    ),
    ...(result.independent ?? []).map((finding) => `independent checker: ${finding}`),
    ...(verdict?.result === "inconclusive" ? verdict.undrained : []),
    ...(struck.length === 0 ? ["no fault happened"] : []),
  ];
}

export function scenarioLines(result: ScenarioResult, colours: Paint): string[] {
  const { name, seed, struck, verdict, seconds, accepted, drainMs, independent } = result;
  const failures = failuresOf(result);
  const head = failures.length === 0 ? colours.good(`✓ ${name}`) : colours.bad(`✗ ${name}`);
  return [
    `${head}  seed ${seed}: ${number(accepted)} orders accepted in ${seconds.toFixed(0)} s, ` +
      `drained in ${(drainMs / 1_000).toFixed(1)} s` +
      (independent === undefined ? "" : ", judged twice"),
    ...struck.map((one) => `    ${struckLine(one)}`),
    ...failures.map((failure) => colours.bad(`    ${failure}`)),
    ...(verdict && verdict.result !== "pass" ? verdictLines(verdict, colours) : []),
  ];
}

function struckLine({
  fault,
  detail,
  atMs,
  evidence,
  recoveryMs,
  recoveryLimitMs,
}: Struck): string {
  const late = recoveryMs !== undefined && recoveryMs > recoveryLimitMs ? " (late)" : "";
  const back = recoveryMs === undefined ? "never" : `${(recoveryMs / 1_000).toFixed(1)} s${late}`;
  const at = `${(atMs / 1_000).toFixed(1).padStart(5)} s`;
  return `${at}  ${fault}: ${detail}; ${evidence ?? "no evidence"}; flow back: ${back}`;
}

function number(n: number): string {
  return Math.round(n).toLocaleString("en");
}
