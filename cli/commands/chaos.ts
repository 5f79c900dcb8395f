// sluice chaos: faults on a private system of real processes under load. Exit code 0: no violation,
// every fault took effect, and all was drained; 1: otherwise.
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { at } from "../../core/domain/at.ts";
import { SettingError } from "../../core/settings/settings.ts";
import {
  FAULTS,
  faultsNamed,
  leftOut,
  mixable,
  mixOf,
  suite,
} from "../../proof/chaos/catalogue.ts";
import {
  chaosJson,
  failuresOf,
  faultTable,
  scenarioLines,
  scenarioTable,
} from "../../proof/chaos/report.ts";
import type { Scenario, ScenarioResult } from "../../proof/chaos/runner.ts";
import { Suite } from "../../proof/chaos/suite.ts";
import { endFolder, endRecorded, makeFolder, sweepFolders } from "../../proof/demo/folder.ts";
import { paint } from "../../proof/verify/report.ts";
import { whole } from "../arguments.ts";
import { table } from "../table.ts";

const DEFAULT_SECONDS = 60;
const DEFAULT_RATE = 500;
/** A soak is verified after each round of this length. */
const ROUND_S = 300;
/** 128 + SIGINT, the shells' convention. */
const EXIT_INTERRUPTED = 130;

interface Options {
  readonly seed: number;
  readonly minutes?: number;
  readonly seconds: number;
  readonly rate: number;
  readonly faults?: string;
  readonly suite: boolean;
  readonly list: boolean;
  readonly json: boolean;
  readonly keep: boolean;
  readonly out?: string;
}

export function register(program: Command): void {
  program
    .command("chaos")
    .description("make faults happen to a private system under load, and verify the outcome")
    .option("--seed <n>", "seed of the load and of the faults", whole(0, 2 ** 32 - 1), 1)
    .option("--minutes <n>", "a soak: mixed faults for this long", whole(1, 1_440))
    .option("--seconds <n>", "length of each scenario", whole(5, 3_600), DEFAULT_SECONDS)
    .option("--rate <n>", "orders a second", whole(10, 20_000), DEFAULT_RATE)
    .option("--faults <names>", "only these, separated by commas; several are mixed")
    .option("--suite", "each fault alone (or those of --faults), then mixes", false)
    .option("--list", "list the faults, and those that this machine cannot make", false)
    .option("--json", "print one JSON object, and the report to standard error", false)
    .option("--keep", "keep the folder with histories, ledgers and logs", false)
    .option("--out <file>", "write the tables as Markdown")
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.list) return list();
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`  ${line}\n`);
  const scenarios = scenariosOf(options);
  await sweepFolders();
  const dir = makeFolder();
  const colours = paint(out.isTTY ?? false);
  const { seed, rate } = options;
  for (const [name, reason] of leftOut(options.faults === undefined ? FAULTS : []))
    say(`left out: ${name}: ${reason}`);
  const running = new Suite({
    ...{ scenarios, dir, seed, say, perSecond: rate },
    seconds: options.minutes === undefined ? options.seconds : roundSeconds(options.minutes),
    onResult: (result) => void out.write(`${scenarioLines(result, colours).join("\n")}\n`),
  });
  stopOnSignals(running, dir, say);
  const results = await running.run();
  report(options, results, out);
  const failed = results.filter((result) => failuresOf(result).length > 0);
  if (options.keep || failed.length > 0) {
    await endRecorded(dir); // what a failure left running
    say(`histories, ledgers and logs: ${dir}`);
  } else await endFolder(dir);
  process.exitCode = failed.length > 0 || results.length < scenarios.length ? 1 : 0;
}

function scenariosOf({ faults: names, suite: all, minutes }: Options): Scenario[] {
  const named = names === undefined ? FAULTS : faultsNamed(names.split(","));
  const out = leftOut(named);
  for (const [name, reason] of names === undefined ? [] : out)
    throw new SettingError(`${name} cannot be made here: ${reason}`);
  if (all) return names === undefined ? suite() : suite(named).filter((s) => s.faults.length === 1);
  const able = named.filter(({ name }) => !out.has(name));
  const ledger = able.some(({ needs }) => needs?.includes("postgres")) ? "postgres" : "sqlite";
  if (minutes !== undefined) return rounds(minutes, able, names !== undefined);
  if (able.length === 1) return [{ name: at(able, 0).name, faults: able, atOnce: 1 }];
  return [mixOf("mix", names === undefined ? mixable(able, "sqlite") : able, ledger)];
}

/** Rounds of a soak take turns between the two kinds of ledger. */
function rounds(minutes: number, able: ReturnType<typeof faultsNamed>, named: boolean): Scenario[] {
  const count = Math.max(1, Math.round((minutes * 60) / ROUND_S));
  return Array.from({ length: count }, (_, i) => {
    const ledger = i % 2 === 0 ? "sqlite" : "postgres";
    return mixOf(`soak-${i + 1}`, named ? able : mixable(able, ledger), ledger);
  });
}

function roundSeconds(minutes: number): number {
  return Math.min(ROUND_S, minutes * 60);
}

function stopOnSignals(running: Suite, dir: string, say: (line: string) => void): void {
  let asked = false;
  const stop = async () => {
    if (asked) {
      running.abandon();
      await endFolder(dir);
      process.exit(EXIT_INTERRUPTED);
    }
    asked = true;
    say("stopping after this burst; once more to stop at once");
    running.stop();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

function report(
  { seed, seconds, rate, json, out: file }: Options,
  results: readonly ScenarioResult[],
  out: NodeJS.WriteStream,
): void {
  const struck = results.flatMap((result) => result.struck);
  const failed = results.filter((result) => failuresOf(result).length > 0).length;
  const summary =
    `${results.length} scenarios, ${struck.length} faults, seed ${seed}, ` +
    `${rate} orders a second: ${failed} failed`;
  out.write(`\n${scenarioTable(results)}\n  ${summary}\n`);
  if (json) process.stdout.write(`${chaosJson(results)}\n`);
  if (file === undefined) return;
  const used = FAULTS.filter(({ name }) => struck.some(({ fault }) => fault === name));
  const heading = `# Faults under load\n\n${summary}, ${seconds} s each.\n`;
  writeFileSync(
    file,
    [heading, scenarioTable(results), "## Faults\n", faultTable(used, results)].join("\n"),
  );
}

function list(): void {
  const out = leftOut();
  const rows = FAULTS.map(({ name, what }) => ({
    name,
    what,
    here: out.get(name) ?? "yes",
  }));
  process.stdout.write(table(rows));
}
