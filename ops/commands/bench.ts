// sluice bench intake, sluice bench overload: measure, and write bench/results/<name>.json and .md.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { benchIntake, PARTS, type Part } from "../../bench/intake/intake.ts";
import { intakePage } from "../../bench/intake/report.ts";
import { benchK6, k6Page, SCRIPTS, type Script } from "../../bench/k6/run.ts";
import { benchOverload, CASES, type Case } from "../../bench/load/overload.ts";
import { overloadPage } from "../../bench/load/report.ts";
import { SettingError } from "../../core/settings.ts";
import { DEFAULT_SHARDS, MAX_SHARDS } from "../../core/shard.ts";
import { whole } from "../arguments.ts";
import { makeFolder, removeFolder, sweepFolders } from "../demo/folder.ts";

const RESULTS = join(import.meta.dir, "..", "..", "bench", "results");

const TOOLS = join(import.meta.dir, "..", "..", ".sluice", "tools");

const MAX_WORKERS = 16;
const MAX_SECONDS = 3_600;

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
  const bench = program.command("bench").description("measure this machine with the standard workload");
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
    .command("overload")
    .description("three times what can be done, and a burst of 100,000 orders a second")
    .option("--cases <list>", `any of ${CASES.join(",")}`, CASES.join(","))
    .option("--seconds <n>", "length of each", whole(2, MAX_SECONDS), 60)
    .option("--best <n>", "seconds to find out what the best is", whole(2, MAX_SECONDS), 15)
    .option("--target-wait <ms>", "SLUICE_TARGET_WAIT", whole(100, 600_000), 2_000)
    .option("--no-save", "do not write bench/results/")
    .option("--json", "print one JSON object", false)
    .action(overload);
  bench
    .command(`k6 <${SCRIPTS.join("|")}>`)
    .description("the scripts of bench/k6 against a stack of their own; k6 from the PATH, or built with Go")
    .option("--seconds <n>", "length", whole(5, MAX_SECONDS), 30)
    .option("--rate <n>", "requests a second (of a burst: before and after it)", whole(1, 100_000), 50)
    .option("--batch <n>", "orders in a request", whole(1, 300), 100)
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

async function k6(script: string, flags: K6Flags): Promise<void> {
  if (!SCRIPTS.includes(script as Script)) throw new SettingError(`'${script}' is none of ${SCRIPTS.join(", ")}`);
  await sweepFolders();
  const dir = makeFolder();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  try {
    const { seconds, rate, batch } = flags;
    const result = await benchK6({ script: script as Script, dir, tools: TOOLS, seconds, rate, batch, say });
    const page = k6Page(result, machine());
    if (flags.save) save(`k6-${script}`, result, page);
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `\n${page}`);
  } finally {
    removeFolder(dir);
  }
}

function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model.replace(/ +/g, " ") ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Bun ${Bun.version}`;
}

interface OverloadFlags {
  readonly cases: string;
  readonly seconds: number;
  readonly best: number;
  readonly targetWait: number;
  readonly json: boolean;
  readonly save: boolean;
}

async function overload(flags: OverloadFlags): Promise<void> {
  const cases = flags.cases.split(",") as Case[];
  const stranger = cases.find((name) => !CASES.includes(name));
  if (stranger) throw new SettingError(`--cases: '${stranger}' is none of ${CASES.join(", ")}`);
  await sweepFolders();
  const dir = makeFolder();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  try {
    const { seconds, best: bestSeconds, targetWait: targetWaitMs } = flags;
    const result = await benchOverload({ dir, cases, seconds, bestSeconds, targetWaitMs, say });
    const page = overloadPage(result, machine());
    if (flags.save) save("overload", result, page);
    process.stdout.write(flags.json ? `${JSON.stringify(result)}\n` : `\n${page}`);
  } finally {
    removeFolder(dir);
  }
}

function save(name: string, result: unknown, page: string): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(join(RESULTS, `${name}.md`), page);
}

async function intake(options: Options): Promise<void> {
  const parts = options.parts.split(",") as Part[];
  const stranger = parts.find((part) => !PARTS.includes(part));
  if (stranger) throw new SettingError(`--parts: '${stranger}' is none of ${PARTS.join(", ")}`);
  await sweepFolders();
  const dir = makeFolder();
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const { workers, shards, burst, sustained } = options;
  try {
    const result = await benchIntake({ dir, parts, workers, shards, burstSeconds: burst, sustainedSeconds: sustained, say });
    const page = intakePage(result);
    if (options.save) save("intake", result, page);
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `\n${page}`);
  } finally {
    removeFolder(dir);
  }
}
