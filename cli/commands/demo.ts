// sluice demo. Exit code 0: every invariant holds; 1: a violation; 2: not everything was decided in
// time.
import type { Command } from "commander";
import { type BrokerLayout, REGION_SETTINGS } from "../../core/settings/setting-table-regions.ts";
import { runDemo } from "../../proof/demo/demo.ts";
import { endFolder, makeFolder, removeFolder, sweepFolders } from "../../proof/demo/folder.ts";
import { Progress } from "../../proof/demo/progress.ts";
import { demoJson, demoLines, resultOf } from "../../proof/demo/report.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { paint } from "../../proof/verify/report.ts";
import { whole } from "../arguments.ts";
import { coloured } from "../colours.ts";
import { stopSignals } from "../signals.ts";

const DEFAULT_ORDERS = 100_000;
const MAX_ORDERS = 10_000_000;
const EXIT_CODES = { pass: 0, violations: 1, inconclusive: 2 } as const;
/** 128 + SIGINT, the shells' convention. */
const EXIT_INTERRUPTED = 130;

const { read, says: LAYOUTS } = REGION_SETTINGS.brokers;
const layout = (text: string): BrokerLayout => read(text, "--brokers");

interface Options {
  readonly orders: number;
  readonly seed: number;
  readonly json: boolean;
  readonly brokers: BrokerLayout;
  readonly keep: boolean;
  readonly protocol: boolean;
}

export function register(program: Command): void {
  program
    .command("demo")
    .description(
      "run a rush on a fresh private system, kill a worker halfway, and verify the outcome",
    )
    .option("--orders <n>", "orders to send", whole(1, MAX_ORDERS), DEFAULT_ORDERS)
    .option("--seed <n>", "seed of the rush", whole(0, 2 ** 32 - 1), 1)
    .option("--brokers <layout>", LAYOUTS, layout, "shared" satisfies BrokerLayout)
    .option("--keep", "keep the folder with history, ledger and logs", false)
    .option("--protocol", "also have the protocol's specification judge the journal", false)
    .option("--json", "print the figures as a JSON object, and the report to standard error", false)
    .action(run);
}

async function run({ orders, seed, json, brokers, keep, protocol }: Options): Promise<void> {
  const out = json ? process.stderr : process.stdout;
  const progress = new Progress(out);
  await sweepFolders();
  const dir = makeFolder();
  let stack: Stack | undefined;
  const interrupted = async () => {
    progress.done();
    out.write("  stopping\n");
    await stack?.kill();
    await endFolder(dir);
    process.exit(EXIT_INTERRUPTED);
  };
  for (const signal of stopSignals()) process.once(signal, interrupted);
  const onStack = (started: Stack) => {
    stack = started;
  };
  const result = await runDemo({
    ...{ orders, seed, dir, progress, onStack, protocol },
    env: { SLUICE_BROKERS: brokers },
  });
  out.write(`${demoLines(result, seed, paint(coloured(out))).join("\n")}\n`);
  const ended = resultOf(result);
  if (keep || ended !== "pass") out.write(`  history, ledger and logs: ${dir}\n\n`);
  else removeFolder(dir);
  if (json) process.stdout.write(`${demoJson(result)}\n`);
  process.exitCode = EXIT_CODES[ended];
}
