import type { Command } from "commander";
import type { LedgerKind } from "../../../bench/bench-ledger.ts";
import { benchK6, k6Page, passed, SCRIPTS, type Script } from "../../../bench/k6/run.ts";
import { whole } from "../../arguments.ts";
import { UsageError } from "../../usage.ts";
import { ledgerOption, withLedger } from "./ledger.ts";
import { MAX_SECONDS, machine, type ResultFlags, show, TOOLS } from "./results.ts";

interface K6Flags extends ResultFlags {
  readonly ledger: LedgerKind;
  readonly seconds?: number;
  readonly rate: number;
  readonly batch: number;
}

const SECONDS = 30;
/** Exit code if a threshold did not hold. */
const FAILED = 1;
/** Long enough for memory to show whether it grows. */
const SOAK_SECONDS = 300;

export function register(bench: Command): void {
  bench
    .command(`k6 <${SCRIPTS.join("|")}>`)
    .description(
      "run a script of bench/k6 on a private system; k6 comes from the PATH or is built with Go",
    )
    .option(
      "--seconds <n>",
      `length; default: ${SECONDS}, for a soak ${SOAK_SECONDS}`,
      whole(5, MAX_SECONDS),
    )
    .option(
      "--rate <n>",
      "requests a second (for a burst: before and after it)",
      whole(1, 100_000),
      50,
    )
    .option("--batch <n>", "orders per request", whole(1, 300), 100)
    .addOption(ledgerOption())
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(k6);
}

async function k6(script: string, { json, save, ledger: kind, ...flags }: K6Flags): Promise<void> {
  if (!SCRIPTS.includes(script as Script))
    throw new UsageError(`'${script}' is not one of ${SCRIPTS.join(", ")}`);
  await withLedger(kind, async (dir, ledger, say) => {
    const seconds = flags.seconds ?? (script === "soak" ? SOAK_SECONDS : SECONDS);
    const place = { dir, ledger, tools: TOOLS, say };
    const result = await benchK6({ ...flags, ...place, script: script as Script, seconds });
    show(`k6-${script}`, result, k6Page(result, machine()), { json, save });
    if (!passed(result)) process.exitCode = FAILED;
  });
}
