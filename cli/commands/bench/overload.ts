import type { Command } from "commander";
import type { LedgerKind } from "../../../bench/bench-ledger.ts";
import { benchOverload, CASES, type Case } from "../../../bench/load/overload.ts";
import { overloadPage } from "../../../bench/load/report.ts";
import { overloadPlots } from "../../../bench/plots/run-plots.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { ledgerOption, withLedger } from "./ledger.ts";
import { MAX_SECONDS, type ResultFlags, show } from "./results.ts";

interface OverloadFlags extends ResultFlags {
  readonly ledger: LedgerKind;
  readonly cases: string;
  readonly seconds: number;
  readonly best: number;
  readonly targetWait: number;
}

export function register(bench: Command): void {
  bench
    .command("overload")
    .description("three times the capacity, and a burst of 100,000 orders a second")
    .option("--cases <list>", `any of ${CASES.join(",")}`, CASES.join(","))
    .option("--seconds <n>", "length of each", whole(2, MAX_SECONDS), 60)
    .option("--best <n>", "seconds for measuring the capacity", whole(2, MAX_SECONDS), 15)
    .option("--target-wait <ms>", "SLUICE_TARGET_WAIT", whole(100, 600_000), 2_000)
    .addOption(ledgerOption())
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(overload);
}

async function overload({
  targetWait: targetWaitMs,
  best: bestSeconds,
  seconds,
  ledger: kind,
  json,
  save,
  ...flags
}: OverloadFlags): Promise<void> {
  const cases = flags.cases.split(",") as Case[];
  const stranger = cases.find((name) => !CASES.includes(name));
  if (stranger) throw new UsageError(`--cases: '${stranger}' is not one of ${CASES.join(", ")}`);
  await withLedger(kind, async (dir, ledger, say) => {
    const lengths = { seconds, bestSeconds, targetWaitMs };
    const result = await benchOverload({ dir, ledger, cases, ...lengths, say });
    const page = overloadPage(result, save);
    show("overload", result, page, { json, save }, overloadPlots(result));
  });
}
