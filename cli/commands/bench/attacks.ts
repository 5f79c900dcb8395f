import type { Command } from "commander";
import { benchAttacks } from "../../../bench/attacks/attacks.ts";
import { ATTACKS, type Attack } from "../../../bench/attacks/kinds.ts";
import { attacksPage } from "../../../bench/attacks/report.ts";
import type { LedgerKind } from "../../../bench/bench-ledger.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { ledgerOption, withLedger } from "./ledger.ts";
import { MAX_SECONDS, machine, type ResultFlags, show } from "./results.ts";

const NAMES = Object.keys(ATTACKS) as Attack[];

interface AttacksFlags extends ResultFlags {
  readonly ledger: LedgerKind;
  readonly only: string;
  readonly seconds: number;
}

export function register(bench: Command): void {
  bench
    .command("attacks")
    .description("what hostile clients of a gateway cost another buyer, and its health and memory")
    .option("--only <list>", `any of ${NAMES.join(",")}`, NAMES.join(","))
    .option("--seconds <n>", "length without, and under, each attack", whole(1, MAX_SECONDS), 20)
    .addOption(ledgerOption())
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(attacks);
}

async function attacks({ ledger: kind, json, save, seconds, only }: AttacksFlags): Promise<void> {
  const chosen = only.split(",") as Attack[];
  const stranger = chosen.find((name) => !NAMES.includes(name));
  if (stranger) throw new UsageError(`--only: '${stranger}' is not one of ${NAMES.join(", ")}`);
  await withLedger(kind, async (dir, ledger, say) => {
    const result = await benchAttacks({ dir, ledger, attacks: chosen, seconds, say });
    show("attacks", result, attacksPage(result, machine()), { json, save });
  });
}
