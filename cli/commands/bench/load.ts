import type { Command } from "commander";
import type { LedgerKind } from "../../../bench/bench-ledger.ts";
import { loadFigures } from "../../../bench/load/figures.ts";
import { benchLoad, type LoadOnce } from "../../../bench/load/once.ts";
import { loadPage } from "../../../bench/load/report.ts";
import { loadPlot } from "../../../bench/plots/run-plots.ts";
import { whole } from "../../arguments.ts";
import { ledgerOption, withLedger } from "./ledger.ts";
import {
  againstLines,
  againstOption,
  type Earlier,
  MAX_RATE,
  MAX_SECONDS,
  type ResultFlags,
  show,
} from "./results.ts";

const MAX_SOCKETS = 1_000;

interface LoadFlags extends ResultFlags {
  readonly ledger: LedgerKind;
  readonly against?: Earlier<LoadOnce>;
  readonly warmUp: number;
  readonly spread: boolean;
  readonly rate: number;
  readonly seconds: number;
  readonly sockets: number;
  readonly allReserved: boolean;
  readonly workerRate: number;
  readonly targetWait: number;
}

export function register(bench: Command): void {
  bench
    .command("load")
    .description(
      "orders at a fixed rate, however fast they are answered; " +
        "latency counts from each order's scheduled time",
    )
    .option("--rate <n>", "orders a second", whole(1, MAX_RATE), 20_000)
    .option("--seconds <n>", "length", whole(1, MAX_SECONDS), 30)
    .option(
      "--warm-up <seconds>",
      "at the same rate before it; its orders are not measured",
      whole(0, MAX_SECONDS),
      10,
    )
    .option("--sockets <n>", "WebSockets that share the rate", whole(1, MAX_SOCKETS), 32)
    .option("--spread", "sockets take turns, instead of all sending at the same moments", false)
    .option("--all-reserved", "every order finds stock, instead of one in ten", false)
    .option(
      "--worker-rate <n>",
      "SLUICE_WORKER_RATE: the worker's maximum of orders a second; 0: no limit",
      whole(0, MAX_RATE),
      0,
    )
    .option("--target-wait <ms>", "SLUICE_TARGET_WAIT", whole(100, 600_000), 2_000)
    .addOption(ledgerOption())
    .option(...againstOption<LoadOnce>(loadFigures))
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(load);
}

async function load({ ledger: kind, against, json, save, ...flags }: LoadFlags): Promise<void> {
  await withLedger(kind, async (dir, ledger, say) => {
    const { warmUp: warmUpSeconds, targetWait: targetWaitMs, ...plan } = flags;
    const result = await benchLoad({ ...plan, warmUpSeconds, targetWaitMs, dir, ledger, say });
    const page = loadPage(result, save ? "load.svg" : undefined);
    const ratios = againstLines(against, result, loadFigures(result));
    const plots = { load: loadPlot(result, result) };
    show("load", result, [page, ...ratios].join("\n"), { json, save }, plots);
  });
}
