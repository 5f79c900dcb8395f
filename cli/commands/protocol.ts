// sluice protocol: runs the specification of the protocol (docs/protocol) and its variants, or asks
// it whether it allows the journal of a ledger. Exit code 0: it does; 1: it does not.
import type { Command } from "commander";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { judgedLine } from "../../proof/protocol/judged.ts";
import { whole } from "../arguments.ts";

interface Options {
  readonly seed: number;
  readonly seconds: number;
  readonly steps: boolean;
  /** true: of the ledger that the settings name. */
  readonly journal?: string | true;
  readonly traces?: number;
  readonly workers?: number;
}

export function register(program: Command): void {
  program
    .command("protocol")
    .description(
      "check the protocol's specification by random walks, whole and with each rule left out",
    )
    .option("--seed <number>", "the first walk's seed", whole(0, 1_000_000_000), 1)
    .option("--seconds <number>", "how long to look for a violation", whole(1, 86_400), 60)
    .option("--steps", "print the steps of each variant's counterexample", false)
    .option(
      "--journal [ledger]",
      "check whether the specification allows a ledger's journal; default: SLUICE_LEDGER_URL",
    )
    .option(
      "--traces <number>",
      "repeat this many walks on the real stores instead, action by action",
      whole(1, 1_000_000),
    )
    .option(
      "--workers <number>",
      "have real workers take this many walks in the simulator instead",
      whole(1, 1_000_000),
    )
    .action(async (options: Options) => {
      if (options.journal !== undefined) {
        process.exitCode = await judge(options.journal);
        return;
      }
      if (options.traces !== undefined) {
        process.exitCode = await repeat(options.seed, options.traces);
        return;
      }
      if (options.workers !== undefined) {
        process.exitCode = await follow(options.seed, options.workers);
        return;
      }
      // Quint's parser is there for development only.
      const { loadProtocol, run } = await import("../../proof/protocol/run.ts");
      process.exitCode = report(run(loadProtocol(), runOptions(options)));
    });
}

async function judge(ledger: string | true): Promise<number> {
  const url = ledger === true ? readSettings(process.env).ledgerUrl : ledger;
  const { judgeLedger } = await import("../../proof/protocol/journal.ts");
  const judged = await LedgerAudit.snapshot(realRuntime, url, judgeLedger);
  process.stdout.write(`${judgedLine(judged)}\n`);
  return judged.flaw === undefined ? 0 : 1;
}

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function repeat(first: number, count: number): Promise<number> {
  const { runTraces } = await import("../../proof/traces/run.ts");
  return wrong(await runTraces({ first, count, print }));
}

async function follow(first: number, count: number): Promise<number> {
  const { runWorkers } = await import("../../proof/traces/workers/run.ts");
  return wrong(await runWorkers({ first, count, print }));
}

function wrong(flaws: readonly string[]): number {
  for (const flaw of flaws) print(`WRONG: ${flaw}`);
  return flaws.length === 0 ? 0 : 1;
}

function runOptions({ seed, seconds, steps }: Options) {
  return {
    runtime: realRuntime,
    seed,
    protocolMs: seconds * 1_000,
    eachMs: seconds * 1_000,
    steps,
    print: (line: string) => process.stdout.write(`${line}\n`),
  };
}

function report(flaws: readonly string[]): number {
  for (const flaw of flaws) process.stdout.write(`WRONG: ${flaw}\n`);
  if (flaws.length === 0) process.stdout.write("every variant breaks something\n");
  return flaws.length === 0 ? 0 : 1;
}
