import { Option } from "commander";
import {
  type BenchLedger,
  defaultLedger,
  LEDGERS,
  type LedgerKind,
  openBenchLedger,
} from "../../../bench/bench-ledger.ts";
import { inFolder } from "./results.ts";

/** `--ledger`, for benches that run a system. */
export function ledgerOption(...more: readonly string[]): Option {
  const help =
    "the ledger; postgres: on the server that SLUICE_LEDGER_URL names, in a database of its own, " +
    "or on a private server";
  return new Option("--ledger <kind>", help)
    .choices([...LEDGERS, ...more])
    .default(defaultLedger(process.env), "postgres if SLUICE_LEDGER_URL names one, else sqlite");
}

/** Measures in a temporary folder, with a ledger for it. */
export async function withLedger(
  kind: LedgerKind,
  work: (dir: string, ledger: BenchLedger, say: (line: string) => void) => Promise<void>,
): Promise<void> {
  await inFolder(async (dir, say) => {
    const ledger = await openBenchLedger(kind, dir, process.env);
    try {
      say(`ledger: ${ledger.name}`);
      await work(dir, ledger, say);
    } finally {
      await ledger.close();
    }
  });
}
