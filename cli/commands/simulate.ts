// sluice simulate: runs the system in a simulated world, one seed after the other. Exit code 0:
// every invariant held in every seed; 1: a violation.
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { SettingError } from "../../core/settings/settings.ts";
import { Progress } from "../../proof/demo/progress.ts";
import { runOne, runSeeds, type Tally } from "../../proof/simulate/campaign.ts";
import { runJobs } from "../../proof/simulate/child.ts";
import { commandOf, type Kept } from "../../proof/simulate/kept.ts";
import { type Found, hunt } from "../../proof/simulate/plant.ts";
import { PLANTED } from "../../proof/simulate/planted.ts";
import { SCENARIOS, type Scenario } from "../../proof/simulate/profiles.ts";
import { openRig } from "../../proof/simulate/rig.ts";
import { drawSchedule } from "../../proof/simulate/schedule.ts";
import { shrink } from "../../proof/simulate/shrink.ts";
import type { Outcome, SimulateOptions } from "../../proof/simulate/simulation.ts";
import { whole } from "../arguments.ts";

const MAX_SEED = 2 ** 32 - 1;
const DEFAULT_SEEDS = 200;
/** Runs that shrinking may take. */
const SHRINK_RUNS = 300;
/** Lines of the trace that a failure prints. */
const TRACE_LINES = 25;

interface Options {
  readonly seeds: number;
  readonly seed?: number;
  readonly from: number;
  readonly scenario?: Scenario;
  readonly for?: number;
  readonly steps?: number;
  readonly jobs: number;
  readonly faults?: readonly number[];
  readonly actions?: readonly number[];
  readonly shrink: boolean;
  readonly planted?: string | true;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("simulate")
    .description("run the system in a simulated world of crashes, losses and clocks, by seed")
    .option("--seeds <n>", "how many seeds to run", whole(1, MAX_SEED), DEFAULT_SEEDS)
    .option("--from <n>", "the first seed", whole(0, MAX_SEED), 1)
    .addOption(
      new Option("--scenario <name>", "what every seed concentrates on").choices(SCENARIOS),
    )
    .option("--for <seconds>", "begin no seed after this time", whole(1, 1_000_000))
    .option("--jobs <n>", "how many processes, each with seeds of its own", whole(1, 64), 1)
    .option("--seed <n>", "run this seed alone", whole(0, MAX_SEED))
    .option("--faults <places>", "with --seed: only these of its faults, or none", places)
    .option("--actions <places>", "with --seed: only these of its clients' actions", places)
    .option("--steps <n>", "the most events of a seed", whole(1, MAX_SEED))
    .option("--planted [name]", "plant known faults into the code, and find each (or one)")
    .option("--no-shrink", "leave a failing seed as it is")
    .option("--json", "print one JSON object", false)
    .action(async (options: Options) => {
      process.exitCode = (await run(options)) ? 0 : 1;
    });
}

/** `3,7,12`, or `none`. */
function places(text: string): number[] {
  if (text === "none") return [];
  const list = text.split(",").map(Number);
  if (list.some((n) => !Number.isInteger(n) || n < 0))
    throw new InvalidArgumentError("places such as 3,7,12, or none");
  return list;
}

/** Whether every invariant held; with --planted, whether every planted fault was found. */
async function run(options: Options): Promise<boolean> {
  if (options.planted !== undefined) return huntAll(options);
  const rig = await openRig();
  try {
    const simulating: SimulateOptions = { open: rig.open, mostSteps: options.steps };
    const { seed, scenario, faults, actions } = options;
    if (seed !== undefined)
      return await one(simulating, { seed, scenario, faults, actions }, options);
    return await many(simulating, options);
  } finally {
    await rig.close();
  }
}

async function one(simulating: SimulateOptions, kept: Kept, { json }: Options): Promise<boolean> {
  const outcome = await runOne(simulating, kept);
  const { lines, ...rest } = outcome;
  process.stdout.write(
    json ? `${JSON.stringify(rest)}\n` : `${[...outcomeLines(outcome), ""].join("\n")}`,
  );
  return outcome.violations.length === 0;
}

async function many(simulating: SimulateOptions, options: Options): Promise<boolean> {
  const { json } = options;
  const out = json ? process.stderr : process.stdout;
  const tally = await (options.jobs > 1 ? inJobs(options) : inTurn(simulating, options, out));
  out.write(`  ${figures(tally)}\n`);
  const [failed] = tally.failed;
  if (failed) {
    out.write(`${outcomeLines(failed).join("\n")}\n`);
    if (options.shrink) await shrunk(simulating, failed, out);
  }
  if (json) process.stdout.write(`${JSON.stringify(jsonOf(tally))}\n`);
  return failed === undefined;
}

function inJobs({ jobs, from, seeds, scenario, for: forSeconds }: Options): Promise<Tally> {
  return runJobs(jobs, { first: from, seeds, scenario, forSeconds });
}

async function inTurn(
  simulating: SimulateOptions,
  { seeds, from, scenario, for: seconds }: Options,
  out: NodeJS.WriteStream,
): Promise<Tally> {
  const progress = new Progress(out);
  let line = "";
  progress.follow(() => line);
  const tally = await runSeeds({
    ...simulating,
    ...{ first: from, seeds, scenario, forMs: seconds && seconds * 1_000 },
    onSeed: (_, so) => {
      line = `  ${figures(so)}`;
    },
  });
  progress.done();
  return tally;
}

async function shrunk(
  simulating: SimulateOptions,
  { seed, scenario, violations }: Outcome,
  out: NodeJS.WritableStream,
): Promise<void> {
  const schedule = drawSchedule(seed, scenario);
  const { faults, actions } = schedule;
  const size = { faults: faults.length, actions: actions.length };
  const kept = await shrink(seed, size, violations, {
    run: async (smaller) => (await runOne(simulating, { ...smaller, scenario })).violations,
    most: SHRINK_RUNS,
  });
  out.write(`\n  shrunk to ${kept.faults.length} faults and ${kept.actions.length} actions:\n`);
  for (const place of kept.faults) out.write(`    ${JSON.stringify(schedule.faults[place])}\n`);
  for (const place of kept.actions) out.write(`    ${JSON.stringify(schedule.actions[place])}\n`);
  out.write(`  replay: ${commandOf({ ...kept, scenario })}\n`);
}

/** Each planted fault in turn, until it is found. */
async function huntAll(options: Options): Promise<boolean> {
  const { planted, from, seeds, scenario, for: forSeconds, json } = options;
  const wanted = PLANTED.filter(({ name }) => planted === true || name === planted);
  if (wanted.length === 0) throw new SettingError(`--planted: there is no '${planted}'`);
  const out = json ? process.stderr : process.stdout;
  const found: Found[] = [];
  for (const one of wanted) {
    const result = await hunt(one, { first: from, seeds, scenario, forSeconds });
    found.push(result);
    const after = result.seeds === undefined ? "NOT FOUND" : `after ${result.seeds} seeds`;
    out.write(`  ${one.name.padEnd(26)} ${after.padEnd(18)} ${result.violation.slice(0, 100)}\n`);
  }
  const missed = found.filter((one) => one.seeds === undefined).length;
  out.write(`  ${found.length - missed} of ${found.length} planted faults found\n`);
  if (json) process.stdout.write(`${JSON.stringify(found)}\n`);
  return missed === 0;
}

function figures({ seeds, crashes, faults, orders, steps, simulatedMs, realMs }: Tally): string {
  const seconds = Math.max(0.001, realMs / 1_000);
  const rate = (n: number) => (n / seconds).toFixed(1);
  return (
    `${seeds} seeds (${rate(seeds)}/s), ${crashes} crashes (${rate(crashes)}/s), ` +
    `${faults} faults, ${orders} orders, ${steps} events, ` +
    `${Math.round(simulatedMs / 1_000)} s simulated in ${seconds.toFixed(1)} s`
  );
}

function outcomeLines(outcome: Outcome): string[] {
  const { seed, scenario, hash, steps, crashes, accepted, violations, lines } = outcome;
  const about = `${steps} events, ${crashes} crashes, ${accepted} answered 202`;
  const head = `  seed ${seed} (${scenario}): ${about}, trace ${hash.toString(16)}`;
  if (violations.length === 0) return [`${head}: every invariant held`];
  const trace = lines.slice(-TRACE_LINES).map((line) => `    ${line}`);
  return [head, ...violations.map((line) => `  ✗ ${line}`), "  what ran last:", ...trace];
}

function jsonOf(tally: Tally): object {
  const failed = tally.failed.map(({ lines: _, ...outcome }) => outcome);
  return { ...tally, failed };
}
