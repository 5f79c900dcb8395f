// sluice bench intake, load, overload, k6: measures and writes bench/results/<name>.json and .md.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { benchIntake, PARTS, type Part } from "../../bench/intake/intake.ts";
import { intakePage } from "../../bench/intake/report.ts";
import { benchK6, k6Page, SCRIPTS, type Script } from "../../bench/k6/run.ts";
import { benchLoad } from "../../bench/load/once.ts";
import { benchOverload, CASES, type Case } from "../../bench/load/overload.ts";
import { loadPage, overloadPage } from "../../bench/load/report.ts";
import { DEFAULT_SHARDS, MAX_SHARDS } from "../../core/domain/shard.ts";
import { SettingError } from "../../core/settings/settings.ts";
import { makeFolder, removeFolder, sweepFolders } from "../../proof/demo/folder.ts";
import { whole } from "../arguments.ts";

const RESULTS = join(import.meta.dir, "..", "..", "bench", "results");

const TOOLS = join(import.meta.dir, "..", "..", ".sluice", "tools");

const MAX_WORKERS = 16;
const MAX_SECONDS = 3_600;
const MAX_RATE = 1_000_000;
const MAX_SOCKETS = 1_000;

interface Options {
  readonly parts: string;
  readonly workers: number;
  readonly shards: number;
  readonly burst: number;
  readonly sustained: number;
  readonly json: boolean;
  readonly save: boolean;
}

export function register(program: Command): void {
  const bench = program
    .command("bench")
    .description("measure this machine with the standard workload");
  bench
    .command("intake")
    .description("orders from the edge to the ledger: burst, sustained, single HTTP, idle")
    .option("--parts <list>", `any of ${PARTS.join(",")}`, PARTS.join(","))
    .option("--workers <n>", "worker processes", whole(1, MAX_WORKERS), 1)
    .option("--shards <n>", "shards", whole(1, MAX_SHARDS), DEFAULT_SHARDS)
    .option("--burst <seconds>", "length of the burst", whole(1, MAX_SECONDS), 6)
    .option("--sustained <seconds>", "length of the sustained run", whole(1, MAX_SECONDS), 60)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(intake);
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
  bench
    .command("overload")
    .description("three times the capacity, and a burst of 100,000 orders a second")
    .option("--cases <list>", `any of ${CASES.join(",")}`, CASES.join(","))
    .option("--seconds <n>", "length of each", whole(2, MAX_SECONDS), 60)
    .option("--best <n>", "seconds for measuring the capacity", whole(2, MAX_SECONDS), 15)
    .option("--target-wait <ms>", "SLUICE_TARGET_WAIT", whole(100, 600_000), 2_000)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(overload);
  bench
    .command(`k6 <${SCRIPTS.join("|")}>`)
    .description(
      "runs a script of bench/k6 against its own stack; uses k6 from the PATH or builds it with Go",
    )
    .option("--seconds <n>", "length", whole(5, MAX_SECONDS), 30)
    .option(
      "--rate <n>",
      "requests a second (for a burst: before and after it)",
      whole(1, 100_000),
      50,
    )
    .option("--batch <n>", "orders per request", whole(1, 300), 100)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(k6);
}

interface K6Flags {
  readonly seconds: number;
  readonly rate: number;
  readonly batch: number;
  readonly json: boolean;
  readonly save: boolean;
}

async function k6(script: string, { json, save, ...flags }: K6Flags): Promise<void> {
  if (!SCRIPTS.includes(script as Script))
    throw new SettingError(`'${script}' is not one of ${SCRIPTS.join(", ")}`);
  await inFolder(async (dir, say) => {
    const result = await benchK6({ ...flags, script: script as Script, dir, tools: TOOLS, say });
    show(`k6-${script}`, result, k6Page(result, machine()), { json, save });
  });
}

/** Measures in a temporary folder and removes it afterwards. */
async function inFolder(
  work: (dir: string, say: (line: string) => void) => Promise<void>,
): Promise<void> {
  await sweepFolders();
  const dir = makeFolder();
  try {
    await work(dir, (line) => void process.stderr.write(`${line}\n`));
  } finally {
    removeFolder(dir);
  }
}

/** Prints the results and saves them in bench/results/. */
function show(
  name: string,
  result: unknown,
  page: string,
  { json, save }: { readonly json: boolean; readonly save: boolean },
): void {
  if (save) {
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(RESULTS, `${name}.md`), page);
  }
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `\n${page}`);
}

function machine(): string {
  const model = cpus()[0]?.model.replace(/ +/g, " ") ?? "?";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${model}, ${memory} GiB, Bun ${Bun.version}`;
}

interface LoadFlags {
  readonly rate: number;
  readonly seconds: number;
  readonly sockets: number;
  readonly allReserved: boolean;
  readonly workerRate: number;
  readonly targetWait: number;
  readonly json: boolean;
  readonly save: boolean;
}

async function load({ targetWait: targetWaitMs, json, save, ...flags }: LoadFlags): Promise<void> {
  await inFolder(async (dir, say) => {
    const result = await benchLoad({ ...flags, targetWaitMs, dir, say });
    show("load", result, loadPage(result, machine()), { json, save });
  });
}

interface OverloadFlags {
  readonly cases: string;
  readonly seconds: number;
  readonly best: number;
  readonly targetWait: number;
  readonly json: boolean;
  readonly save: boolean;
}

async function overload({
  targetWait: targetWaitMs,
  best: bestSeconds,
  seconds,
  json,
  save,
  ...flags
}: OverloadFlags): Promise<void> {
  const cases = flags.cases.split(",") as Case[];
  const stranger = cases.find((name) => !CASES.includes(name));
  if (stranger) throw new SettingError(`--cases: '${stranger}' is not one of ${CASES.join(", ")}`);
  await inFolder(async (dir, say) => {
    const result = await benchOverload({ dir, cases, seconds, bestSeconds, targetWaitMs, say });
    show("overload", result, overloadPage(result, machine()), { json, save });
  });
}

async function intake({
  workers,
  shards,
  burst: burstSeconds,
  sustained: sustainedSeconds,
  json,
  save,
  ...flags
}: Options): Promise<void> {
  const parts = flags.parts.split(",") as Part[];
  const stranger = parts.find((part) => !PARTS.includes(part));
  if (stranger) throw new SettingError(`--parts: '${stranger}' is not one of ${PARTS.join(", ")}`);
  await inFolder(async (dir, say) => {
    const result = await benchIntake({
      dir,
      parts,
      workers,
      shards,
      burstSeconds,
      sustainedSeconds,
      say,
    });
    show("intake", result, intakePage(result), { json, save });
  });
}
