// What became of scenarios: as lines for people, as JSON, and as a table in Markdown.
import { type Paint, verdictLines } from "../verify/report.ts";
import type { Fault } from "./fault.ts";
import type { ScenarioResult, Struck } from "./runner.ts";

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

/** One object, for programs. */
export function chaosJson(results: readonly ScenarioResult[]): string {
  const scenarios = results.map((result) => {
    const { name, seed, struck, seconds, accepted, answers, drained, drainMs, verdict } = result;
    const { counts, violations } = verdict ?? {};
    const failures = failuresOf(result);
    return {
      ...{ name, seed, seconds, accepted, answers, drained, drainMs, failures, violations },
      ...{ faults: struck, counts },
    };
  });
  return JSON.stringify({ passed: scenarios.every((s) => s.failures.length === 0), scenarios });
}

interface Row {
  runs: number;
  evidence: string;
  recoveries: number[];
  limitMs: number;
  failures: number;
}

/** A row per scenario: faults, recovery, violations. */
export function scenarioTable(results: readonly ScenarioResult[]): string {
  const rows = results.map((result) => {
    const { name, seed, struck, accepted, drainMs, verdict } = result;
    const failures = failuresOf(result);
    return [
      name,
      String(seed),
      String(struck.length),
      number(accepted),
      spread(struck.flatMap(({ recoveryMs }) => recoveryMs ?? [])),
      `${(drainMs / 1_000).toFixed(1)} s`,
      verdict === undefined ? "?" : String(verdict.counts.violations),
      failures.length === 0 ? "passed" : failures.join("; "),
    ];
  });
  const head = ["scenario", "seed", "faults", "accepted", "flow back", "drained in"];
  return table([...head, "violations", "result"], rows);
}

/** A row per fault over all scenarios: what clients see, recovery, runs. */
export function faultTable(faults: readonly Fault[], results: readonly ScenarioResult[]): string {
  const rows = new Map<string, Row>();
  for (const result of results)
    for (const { fault, evidence, recoveryMs, recoveryLimitMs } of result.struck) {
      const row = rows.get(fault) ?? {
        ...{ runs: 0, evidence: "", recoveries: [], failures: 0, limitMs: recoveryLimitMs },
      };
      rows.set(fault, row);
      row.runs++;
      row.evidence = evidence ?? row.evidence;
      row.failures += failuresOf(result).length > 0 ? 1 : 0;
      if (recoveryMs !== undefined) row.recoveries.push(recoveryMs);
    }
  const lines = faults.map(({ name, what, seen }) => {
    const row = rows.get(name);
    return [
      name,
      what,
      seen,
      String(row?.runs ?? 0),
      spread(row?.recoveries ?? []),
      String(row?.failures ?? 0),
    ];
  });
  const head = ["fault", "what happens", "what a client sees", "runs", "flow back"];
  return table([...head, "in failed runs"], lines);
}

/** Median and worst of some times. */
function spread(times: readonly number[]): string {
  if (times.length === 0) return "–";
  const sorted = [...times].sort((a, b) => a - b);
  const seconds = (ms: number | undefined) => ((ms ?? 0) / 1_000).toFixed(1);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  return `${seconds(median)} s, at most ${seconds(sorted[sorted.length - 1])} s`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");
}

function number(n: number): string {
  return Math.round(n).toLocaleString("en");
}
