// sluice chaos: faults on a private system of real processes under load. Exit code 0: no violation,
// every fault took effect, and all was drained; 1: otherwise.

import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { at } from "../../core/domain/at.ts";
import { countWords } from "../../core/domain/finding-words.ts";
import { SettingError } from "../../core/settings/settings.ts";
import {
  FAULTS,
  faultsNamed,
  leftOut,
  mixable,
  mixOf,
  suite,
  tours,
} from "../../proof/chaos/catalogue.ts";
import type { Fault } from "../../proof/chaos/fault.ts";
import { appendRun, type Run, readRuns, runOf } from "../../proof/chaos/records.ts";
import { scenarioLines } from "../../proof/chaos/report.ts";
import type { Scenario } from "../../proof/chaos/scenario.ts";
import { Suite } from "../../proof/chaos/suite.ts";
import { page, scenarioTable } from "../../proof/chaos/tables.ts";
import { endFolder, endRecorded, makeFolder, sweepFolders } from "../../proof/demo/folder.ts";
import { paint } from "../../proof/verify/report.ts";
import { whole } from "../arguments.ts";
import { coloured } from "../colours.ts";
import { stopSignals } from "../signals.ts";
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
  readonly once: boolean;
  readonly list: boolean;
  readonly json: boolean;
  readonly keep: boolean;
  readonly results?: string;
  readonly out?: string;
}

export function register(program: Command): void {
  program
    .command("chaos")
    .description("inject faults into a private system under load, and verify the outcome")
    .option("--seed <n>", "seed of the load and of the faults", whole(0, 2 ** 32 - 1), 1)
    .option("--minutes <n>", "a soak: mixed faults for this long", whole(1, 1_440))
    .option("--seconds <n>", "length of each scenario", whole(5, 3_600), DEFAULT_SECONDS)
    .option("--rate <n>", "orders a second", whole(10, 20_000), DEFAULT_RATE)
    .option("--faults <names>", "only these, separated by commas; several are mixed")
    .option("--suite", "each fault alone (or those of --faults), then mixes", false)
    .option(
      "--once",
      "each fault (or those of --faults) once and alone, several on a system",
      false,
    )
    .option("--list", "list the faults, and those that cannot be injected on this machine", false)
    .option("--json", "print one JSON object, and the report to standard error", false)
    .option("--keep", "keep the folder with histories, ledgers and logs", false)
    .option("--results <file>", "append each scenario's result as a line of JSON")
    .option("--out <file>", "write the tables as Markdown; with --results, of all that it holds")
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.list) return list();
  const out = options.json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`  ${line}\n`);
  const scenarios = scenariosOf(options);
  await sweepFolders();
  const dir = makeFolder();
  const colours = paint(coloured(out));
  const { seed, rate } = options;
  const runs: Run[] = [];
  for (const [name, reason] of leftOut(options.faults === undefined ? FAULTS : []))
    say(`left out: ${name}: ${reason}`);
  const running = new Suite({
    ...{ scenarios, dir, seed, say, perSecond: rate },
    seconds: options.minutes === undefined ? options.seconds : roundSeconds(options.minutes),
    onResult: (result) => {
      out.write(`${scenarioLines(result, colours).join("\n")}\n`);
      const ran = runOf(result);
      runs.push(ran);
      if (options.results !== undefined) appendRun(options.results, ran);
    },
  });
  stopOnSignals(running, dir, say);
  await running.run();
  report(options, runs, out);
  const failed = runs.filter(({ failures }) => failures.length > 0);
  if (options.keep || failed.length > 0) {
    await endRecorded(dir); // what a failure left running
    say(`histories, ledgers and logs: ${dir}`);
  } else await endFolder(dir);
  process.exitCode = failed.length > 0 || runs.length < scenarios.length ? 1 : 0;
}

function scenariosOf({ faults: names, suite: all, once, minutes, seed }: Options): Scenario[] {
  const named = names === undefined ? FAULTS : faultsNamed(names.split(","));
  const out = leftOut(named);
  for (const [name, reason] of names === undefined ? [] : out)
    throw new SettingError(`${name} cannot be injected here: ${reason}`);
  if (once) return tours(named);
  if (all) return names === undefined ? suite() : suite(named).filter((s) => s.faults.length === 1);
  const able = named.filter(({ name }) => !out.has(name));
  const ledger = able.some(({ needs }) => needs?.includes("postgres")) ? "postgres" : "sqlite";
  if (minutes !== undefined) return rounds(minutes, seed, able, names !== undefined);
  if (able.length === 1) return [{ name: at(able, 0).name, faults: able, atOnce: 1 }];
  return [mixOf("mix", names === undefined ? mixable(able, "sqlite") : able, ledger)];
}

/** About as many bursts fit into a round. */
const BURSTS = 15;

/**
 * Rounds of a soak take turns between the two kinds of ledger. Each begins further on in the list
 * of faults, and so does the next seed: so it comes to every fault.
 */
function rounds(minutes: number, seed: number, able: readonly Fault[], named: boolean): Scenario[] {
  const count = Math.max(1, Math.round((minutes * 60) / ROUND_S));
  return Array.from({ length: count }, (_, i) => {
    const round = seed + i;
    const ledger = round % 2 === 0 ? "sqlite" : "postgres";
    const drawn = named ? able : mixable(able, ledger);
    const from = (Math.floor(round / 2) * BURSTS) % drawn.length;
    const turned = [...drawn.slice(from), ...drawn.slice(0, from)];
    return mixOf(`soak-${round}`, turned, ledger);
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
  for (const signal of stopSignals()) process.on(signal, stop);
}

function report(options: Options, runs: readonly Run[], out: NodeJS.WriteStream): void {
  const { seed, rate, json, results, out: file } = options;
  const struck = runs.flatMap(({ faults }) => faults).length;
  const failed = runs.filter(({ failures }) => failures.length > 0).length;
  const summary =
    `${countWords(runs.length, "scenario")}, ${countWords(struck, "fault")}, seed ${seed}, ` +
    `${countWords(rate, "order")} a second: ${failed} failed`;
  out.write(`\n${scenarioTable(runs)}\n\n  ${summary}\n`);
  const passed = failed === 0;
  if (json) process.stdout.write(`${JSON.stringify({ passed, scenarios: runs })}\n`);
  if (file === undefined) return;
  writeFileSync(file, page(results === undefined ? runs : readRuns(results), FAULTS));
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
