import type { Command } from "commander";
import { benchLimits } from "../../../bench/limits/limits.ts";
import { limitsPage } from "../../../bench/limits/report.ts";
import { STAGES, type Stage } from "../../../bench/limits/row.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { inFolder, MAX_SECONDS, machine, type ResultFlags, show } from "./results.ts";

interface LimitsFlags extends ResultFlags {
  readonly only: string;
  readonly seconds: number;
}

export function register(bench: Command): void {
  bench
    .command("limits")
    .description("each stage of an order alone, against the least that the same work costs")
    .option("--only <list>", `any of ${STAGES.join(",")}`, STAGES.join(","))
    .option("--seconds <n>", "length of each timed part", whole(1, MAX_SECONDS), 5)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(limits);
}

async function limits({ json, save, seconds, ...flags }: LimitsFlags): Promise<void> {
  const only = flags.only.split(",") as Stage[];
  const stranger = only.find((stage) => !STAGES.includes(stage));
  if (stranger) throw new UsageError(`--only: '${stranger}' is not one of ${STAGES.join(", ")}`);
  await inFolder(async (dir, say) => {
    const result = await benchLimits({ dir, only, seconds, say });
    show("limits", result, limitsPage(result, machine()), { json, save });
  });
}
