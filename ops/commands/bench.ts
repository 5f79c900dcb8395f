// sluice bench intake, sluice bench overload: measure, and write bench/results/<name>.json and .md.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { benchIntake, PARTS, type Part } from "../../bench/intake/intake.ts";
import { intakePage } from "../../bench/intake/report.ts";
import { benchOverload, CASES, type Case } from "../../bench/load/overload.ts";
import { overloadPage } from "../../bench/load/report.ts";
import { SettingError } from "../../core/settings.ts";
import { DEFAULT_SHARDS, MAX_SHARDS } from "../../core/shard.ts";
import { whole } from "../arguments.ts";
import { makeFolder, removeFolder, sweepFolders } from "../demo/folder.ts";

const RESULTS = join(import.meta.dir, "..", "..", "bench", "results");

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
    const machine = `${cpus().length} × ${cpus()[0]?.model.replace(/ +/g, " ") ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Bun ${Bun.version}`;
    const page = overloadPage(result, machine);
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
