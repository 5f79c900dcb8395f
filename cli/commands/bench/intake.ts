import type { Command } from "commander";
import { LEDGERS, type LedgerKind } from "../../../bench/bench-ledger.ts";
import { intakeFigures } from "../../../bench/intake/figures.ts";
import { benchIntake, type IntakeResult, PARTS, type Part } from "../../../bench/intake/intake.ts";
import { intakePage } from "../../../bench/intake/report.ts";
import { intakePlots } from "../../../bench/plots/run-plots.ts";
import { DEFAULT_SHARDS, MAX_SHARDS } from "../../../core/domain/shard.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { ledgerOption, withLedger } from "./ledger.ts";
import {
  againstLines,
  againstOption,
  type Earlier,
  MAX_SECONDS,
  type ResultFlags,
  show,
} from "./results.ts";

const MAX_WORKERS = 16;

interface IntakeFlags extends ResultFlags {
  readonly ledger: LedgerKind | "both";
  readonly against?: Earlier<IntakeResult>;
  readonly parts: string;
  readonly workers: number;
  readonly shards: number;
  readonly burst: number;
  readonly sustained: number;
}

export function register(bench: Command): void {
  bench
    .command("intake")
    .description("orders from the edge to the ledger: burst, sustained, single HTTP, idle")
    .option("--parts <list>", `any of ${PARTS.join(",")}`, PARTS.join(","))
    .option("--workers <n>", "worker processes", whole(1, MAX_WORKERS), 1)
    .option("--shards <n>", "shards", whole(1, MAX_SHARDS), DEFAULT_SHARDS)
    .option("--burst <seconds>", "length of the burst", whole(1, MAX_SECONDS), 6)
    .option("--sustained <seconds>", "length of the sustained run", whole(1, MAX_SECONDS), 60)
    .addOption(ledgerOption("both"))
    .option(...againstOption(intakeFigures))
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(intake);
}

async function intake({ ledger: kind, against, json, save, ...flags }: IntakeFlags): Promise<void> {
  const parts = flags.parts.split(",") as Part[];
  const stranger = parts.find((part) => !PARTS.includes(part));
  if (stranger) throw new UsageError(`--parts: '${stranger}' is not one of ${PARTS.join(", ")}`);
  const results: IntakeResult[] = [];
  for (const one of kind === "both" ? LEDGERS : [kind])
    await withLedger(one, async (dir, ledger, say) => {
      const lengths = { burstSeconds: flags.burst, sustainedSeconds: flags.sustained };
      results.push(await benchIntake({ ...flags, ...lengths, dir, ledger, parts, say }));
    });
  const [first, postgres] = results;
  if (!first) return;
  const result = postgres ? { ...first, postgres } : first;
  const page = intakePage(result, save);
  const ratios = againstLines(against, result, intakeFigures(result));
  show("intake", result, [page, ...ratios].join("\n"), { json, save }, intakePlots(result));
}
