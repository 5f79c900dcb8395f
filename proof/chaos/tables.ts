// The page of scenarios that were run, in Markdown: recovery, scenarios, faults, and what failed.
import type { Fault } from "./fault.ts";
import type { Run } from "./records.ts";
import type { Struck } from "./scenario.ts";

/** Reasons of a failed run that the page shows. */
const REASONS = 3;
const REASON_CHARS = 160;

export function page(runs: readonly Run[], faults: readonly Fault[]): string {
  const struck = runs.flatMap((run) => run.faults);
  const names = new Set(struck.map(({ fault }) => fault));
  const never = faults.filter(({ name }) => !names.has(name)).map(({ name }) => `\`${name}\``);
  const failed = runs.filter(({ failures }) => failures.length > 0);
  const parts = [
    "# Faults under load",
    summary(runs, faults.length - never.length, faults.length),
    ...section("Recovery", recoveryTable(runs)),
    ...section("Scenarios", scenarioTable(runs)),
    ...section("Faults", faultTable(faults, runs)),
    ...(failed.length === 0 ? [] : section("Runs that failed", failedTable(failed))),
    ...(never.length === 0 ? [] : section("What has not run", lines(never.join(", ")))),
  ];
  return `${parts.join("\n\n")}\n`;
}

function section(name: string, text: string): string[] {
  return [`## ${name}`, text];
}

function summary(runs: readonly Run[], kinds: number, known: number): string {
  const struck = runs.flatMap((run) => run.faults);
  const seeds = [...new Set(runs.map(({ seed }) => seed))].sort((a, b) => a - b).join(", ");
  const rates = [...new Set(runs.map(({ perSecond }) => perSecond))].sort((a, b) => a - b);
  const minutes = runs.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const violations = runs.reduce((sum, run) => sum + violationsOf(run), 0);
  const accepted = runs.reduce((sum, run) => sum + run.accepted, 0);
  const failed = runs.filter(({ failures }) => failures.length > 0).length;
  return lines(
    `${runs.length} runs of ${new Set(runs.map(({ name }) => name)).size} scenarios, ` +
      `${number(minutes)} minutes under load at ${rates.join(" or ")} orders a second: ` +
      `${number(accepted)} orders accepted, ${struck.length} faults of ${kinds} kinds (of ` +
      `${known}), **${violations} violations**. ${failed} runs failed for any reason. ` +
      `Seeds: ${seeds}. ` +
      "All on one machine with two cores; each table names its load average, since times are " +
      "upper bounds on a busy machine. `sluice chaos --results FILE --out PAGE` writes this page.",
  );
}

/** What recovery is for, and how it is measured. */
const GOALS: readonly {
  readonly what: string;
  readonly fault: string;
  readonly goalMs: number;
  readonly of: (struck: Struck) => number | undefined;
}[] = [
  {
    what: "A worker is killed: orders sent from then on are decided in every shard",
    fault: "worker-killed",
    goalMs: 5_000,
    of: ({ sinceBeginningMs }) => sinceBeginningMs,
  },
  {
    what: "A worker freezes: orders sent from then on are decided in every shard",
    fault: "worker-frozen",
    goalMs: 5_000,
    of: ({ sinceBeginningMs }) => sinceBeginningMs,
  },
  {
    what: "A broker is back: orders are accepted and decided everywhere",
    fault: "broker-killed",
    goalMs: 10_000,
    of: ({ recoveryMs }) => recoveryMs,
  },
  {
    what: "A region is lost: its gateway accepts again",
    fault: "region-lost",
    goalMs: 2_000,
    of: ({ measuredMs }) => measuredMs,
  },
];

/** Of runs with nothing else at the same time. */
function recoveryTable(runs: readonly Run[]): string {
  const rows = GOALS.map(({ what, fault, goalMs, of }) => {
    const own = runs.filter((run) => aloneIn(run, fault));
    const times = own.flatMap((run) =>
      run.faults.flatMap((struck) => (struck.fault === fault ? (of(struck) ?? []) : [])),
    );
    const within = times.filter((ms) => ms <= goalMs).length;
    const count = times.length === 0 ? "–" : `${within} of ${times.length}`;
    return [what, `${goalMs / 1_000} s`, spread(times), count, loadsOf(own)];
  });
  return table(["what", "goal", "median and worst", "within the goal", "load average"], rows);
}

/** Whether this fault happened in a run that never had two at the same time. */
function aloneIn({ faults }: Run, name: string): boolean {
  const apart = faults.every((one, i) => i === 0 || (faults[i - 1] as Struck).healedMs <= one.atMs);
  return apart && faults.some(({ fault }) => fault === name);
}

export function scenarioTable(runs: readonly Run[]): string {
  const rows = [...Map.groupBy(runs, ({ name }) => name)].map(([name, own]) => {
    const struck = own.flatMap((run) => run.faults);
    const passed = own.filter(({ failures }) => failures.length === 0).length;
    return [
      name,
      [...new Set(own.map(({ seed }) => seed))].join(", "),
      number(own.reduce((sum, { seconds }) => sum + seconds, 0)),
      String(struck.length),
      number(own.reduce((sum, { accepted }) => sum + accepted, 0)),
      spread(struck.flatMap(({ recoveryMs }) => recoveryMs ?? [])),
      seconds(Math.max(...own.map(({ drainMs }) => drainMs))),
      loadsOf(own),
      String(own.reduce((sum, run) => sum + violationsOf(run), 0)),
      `${passed} of ${own.length}`,
    ];
  });
  const head = ["scenario", "seed", "seconds", "faults", "accepted", "flow back", "drained in"];
  return table([...head, "load average", "violations", "passed"], rows);
}

/** A row per fault over all scenarios: what clients see, recovery, runs. */
export function faultTable(faults: readonly Fault[], runs: readonly Run[]): string {
  const rows = faults.flatMap(({ name, what, seen }) => {
    const own = runs.filter((run) => run.faults.some(({ fault }) => fault === name));
    const struck = own.flatMap((run) => run.faults.filter(({ fault }) => fault === name));
    if (struck.length === 0) return [];
    return [
      [
        ...[name, what, seen, String(struck.length)],
        String(struck.filter(({ evidence }) => evidence !== undefined).length),
        spread(struck.flatMap(({ recoveryMs }) => recoveryMs ?? [])),
        String(own.reduce((sum, run) => sum + violationsOf(run), 0)),
      ],
    ];
  });
  const head = ["fault", "what happens", "what a client sees", "times", "with evidence"];
  return table([...head, "flow back", "violations"], rows);
}

function failedTable(failed: readonly Run[]): string {
  const rows = failed.map(({ name, startedAt, seed, failures }) => {
    const shown = failures.slice(0, REASONS).map((text) => text.slice(0, REASON_CHARS));
    const more = failures.length > REASONS ? [`${failures.length - REASONS} more`] : [];
    return [name, startedAt.slice(0, 16), String(seed), [...shown, ...more].join("; ")];
  });
  return table(["scenario", "when (UTC)", "seed", "why"], rows);
}

function violationsOf({ violations = 0, independent = 0 }: Run): number {
  return violations + independent;
}

/** Median and worst of some times. */
function spread(times: readonly number[]): string {
  if (times.length === 0) return "–";
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  return `${seconds(median)}, at most ${seconds(sorted[sorted.length - 1] ?? 0)}`;
}

function loadsOf(runs: readonly Run[]): string {
  if (runs.length === 0) return "–";
  const mean = runs.reduce((sum, { load }) => sum + load.mean, 0) / runs.length;
  return `${mean.toFixed(1)}, at most ${Math.max(...runs.map(({ load }) => load.most)).toFixed(1)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Wraps prose at 100 columns. */
function lines(text: string): string {
  const wrapped: string[] = [];
  for (const word of text.split(" ")) {
    const last = wrapped[wrapped.length - 1];
    if (last !== undefined && last.length + word.length < 100)
      wrapped.push(`${wrapped.pop()} ${word}`);
    else wrapped.push(word);
  }
  return wrapped.join("\n");
}

function number(n: number): string {
  return Math.round(n).toLocaleString("en");
}
