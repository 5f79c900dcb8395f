import type { Command } from "commander";
import type { LedgerKind } from "../../../bench/bench-ledger.ts";
import { benchCurve, CURVE_RATES, type CurveResult } from "../../../bench/load/curve.ts";
import { curvePage } from "../../../bench/load/curve-page.ts";
import { curveFigures } from "../../../bench/load/figures.ts";
import { curvePlot } from "../../../bench/plots/curve-plot.ts";
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

interface CurveFlags extends ResultFlags {
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly warmUp: number;
  readonly sockets: number;
  readonly spread: boolean;
  readonly allReserved: boolean;
  readonly targetWait: number;
  readonly ledger: LedgerKind;
  readonly against?: Earlier<CurveResult>;
}

export function register(bench: Command): void {
  bench
    .command("curve")
    .description("cost of an order at several rates, each after a warm-up, on one system")
    .option("--rates <list>", "orders a second", ratesOf, [...CURVE_RATES])
    .option("--seconds <n>", "length of each", whole(1, MAX_SECONDS), 12)
    .option(
      "--warm-up <seconds>",
      "at the same rate before each; its orders are not measured",
      whole(0, MAX_SECONDS),
      10,
    )
    .option("--sockets <n>", "WebSockets that share the rate", whole(1, MAX_SOCKETS), 32)
    .option("--spread", "sockets take turns, instead of all sending at the same moments", false)
    .option("--all-reserved", "every order finds stock, instead of one in ten", false)
    .option("--target-wait <ms>", "SLUICE_TARGET_WAIT", whole(100, 600_000), 2_000)
    .addOption(ledgerOption())
    .option(...againstOption(curveFigures))
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(curve);
}

function ratesOf(text: string): number[] {
  return text.split(",").map(whole(1, MAX_RATE));
}

async function curve({ ledger: kind, against, json, save, ...flags }: CurveFlags): Promise<void> {
  await withLedger(kind, async (dir, ledger, say) => {
    const { warmUp: warmUpSeconds, targetWait: targetWaitMs, ...plan } = flags;
    const options = { ...plan, warmUpSeconds, targetWaitMs, workerRate: 0, dir, ledger, say };
    const result = await benchCurve(options);
    const page = curvePage(result, save ? "curve.svg" : undefined);
    const ratios = againstLines(against, result, curveFigures(result));
    const plot = curvePlot(result, against?.result);
    show("curve", result, [page, ...ratios].join("\n"), { json, save }, { curve: plot });
  });
}
