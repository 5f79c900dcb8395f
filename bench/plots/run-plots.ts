// The plots of runs over time, by the name of their file.
import type { Conditions } from "../conditions.ts";
import type { IntakeResult } from "../intake/intake.ts";
import type { OverloadResult } from "../load/overload.ts";
import type { LoadResult } from "../load/run.ts";
import { timelinePlot } from "./timeline-plot.ts";

const FLOODS = {
  burst: "A burst: as many orders as the gateway accepts",
  sustained: "Sustained: as many orders as the ledger records",
  reserved: "Sustained, every order reserved",
  charged: "Sustained, reserved orders are charged",
} as const;

export function intakePlots(result: IntakeResult): Record<string, string> {
  const plots: Record<string, string> = {};
  for (const [name, title] of Object.entries(FLOODS)) {
    const flood = result[name as keyof typeof FLOODS];
    if (flood) plots[`intake-${name}`] = timelinePlot(title, systemOf(result), flood.moments);
  }
  return plots;
}

export function loadPlot({ offered, moments }: LoadResult, on: Conditions): string {
  return timelinePlot(`${offered.toLocaleString("en")} orders a second`, systemOf(on), moments);
}

export function overloadPlots(result: OverloadResult): Record<string, string> {
  const each = result.cases.map(({ name, load }) => {
    const offered = `${load.offered.toLocaleString("en")} orders a second`;
    const title = `Overload, ${name}: ${offered}`;
    return [`overload-${name}`, timelinePlot(title, systemOf(result), load.moments)];
  });
  return Object.fromEntries(each);
}

function systemOf({ machine, ledger }: Conditions): string {
  return `${machine.cores} × ${machine.cpu}, everything on them; ledger: ${ledger}`;
}
