// Each stage's cost beside its floor, as a page.
import type { LimitsResult } from "./limits.ts";
import type { LimitRow } from "./row.ts";

const HEADER = "| stage | orders together | µs per order | floor, µs | ratio | what | floor |";

export function limitsPage({ at, rows, missing }: LimitsResult, machine: string): string {
  const gone = Object.entries(missing).map(([stage, why]) => `- ${stage}: ${why}`);
  return `${[
    ...["# Limits", ""],
    `${at}, ${machine}.`,
    "Each stage alone, µs of CPU per order in all processes it needs. The floor is the least that",
    "the same work costs without Sluice's guarantees. No other part of Sluice runs beside a stage.",
    "",
    HEADER,
    "|---|---|---|---|---|---|---|",
    ...rows.map(line),
    ...(gone.length > 0 ? ["", "Not measured:", "", ...gone] : []),
  ].join("\n")}\n`;
}

function line({ stage, what, together, micros, floor, floorMicros }: LimitRow): string {
  const against = floorMicros === undefined ? "" : floorMicros.toFixed(2);
  const ratio = floorMicros === undefined ? "" : (micros / floorMicros).toFixed(1);
  const cells = [stage, String(together), micros.toFixed(2), against, ratio, what, floor];
  return `| ${cells.join(" | ")} |`;
}
