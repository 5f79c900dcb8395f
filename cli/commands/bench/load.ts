import type { Command } from "commander";
import { benchLoad } from "../../../bench/load/once.ts";
import { loadPage } from "../../../bench/load/report.ts";
import { whole } from "../../arguments.ts";
import { inFolder, MAX_RATE, MAX_SECONDS, machine, type ResultFlags, show } from "./results.ts";

const MAX_SOCKETS = 1_000;

interface LoadFlags extends ResultFlags {
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
    .option("--sockets <n>", "WebSockets that share the rate", whole(1, MAX_SOCKETS), 32)
    .option("--all-reserved", "every order finds stock, instead of one in ten", false)
    .option(
      "--worker-rate <n>",
      "SLUICE_WORKER_RATE: the worker's maximum of orders a second; 0: no limit",
      whole(0, MAX_RATE),
      0,
    )
    .option("--target-wait <ms>", "SLUICE_TARGET_WAIT", whole(100, 600_000), 2_000)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(load);
}

async function load({ targetWait: targetWaitMs, json, save, ...flags }: LoadFlags): Promise<void> {
  await inFolder(async (dir, say) => {
    const result = await benchLoad({ ...flags, targetWaitMs, dir, say });
    show("load", result, loadPage(result, machine()), { json, save });
  });
}
