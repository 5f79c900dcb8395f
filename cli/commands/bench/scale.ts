import type { Command } from "commander";
import type { LedgerKind } from "../../../bench/bench-ledger.ts";
import { DIMENSIONS, type Dimension } from "../../../bench/scale/dimensions.ts";
import { scalePage } from "../../../bench/scale/report.ts";
import { benchScale } from "../../../bench/scale/scale.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { ledgerOption, withLedger } from "./ledger.ts";
import { MAX_SECONDS, type ResultFlags, show } from "./results.ts";

interface ScaleFlags extends ResultFlags {
  readonly ledger: LedgerKind;
  readonly only: string;
  readonly seconds: number;
}

export function register(bench: Command): void {
  bench
    .command("scale")
    .description(
      "a matrix of short runs: workers, gateways, shards, items, users, sockets, batches",
    )
    .option("--only <list>", `any of ${DIMENSIONS.join(",")}`, DIMENSIONS.join(","))
    .option("--seconds <n>", "length of each run", whole(2, MAX_SECONDS), 6)
    .addOption(ledgerOption())
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(scale);
}

async function scale({ ledger: kind, json, save, seconds, ...flags }: ScaleFlags): Promise<void> {
  const only = flags.only.split(",") as Dimension[];
  const stranger = only.find((name) => !DIMENSIONS.includes(name));
  if (stranger)
    throw new UsageError(`--only: '${stranger}' is not one of ${DIMENSIONS.join(", ")}`);
  await withLedger(kind, async (dir, ledger, say) => {
    const result = await benchScale({ dir, ledger, only, seconds, say });
    show("scale", result, scalePage(result), { json, save });
  });
}
