// sluice simulate: runs the system in a simulated world, one seed after the other. Exit code 0:
// every invariant held in every seed; 1: a violation.

import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { countWords } from "../../core/domain/finding-words.ts";
import { Progress } from "../../proof/demo/progress.ts";
import { type RunSeed, runOne, runSeeds, type Tally } from "../../proof/simulate/campaign.ts";
import { serveJob, startJob } from "../../proof/simulate/jobs.ts";
import { commandOf, type Kept } from "../../proof/simulate/kept.ts";
import { type Found, hunt } from "../../proof/simulate/plant.ts";
import { PLANTED } from "../../proof/simulate/planted.ts";
import { SCENARIOS, type Scenario } from "../../proof/simulate/profiles.ts";
import { figures, goOn, jsonOf, outcomeLines } from "../../proof/simulate/report.ts";
import { openRig } from "../../proof/simulate/rig.ts";
import { drawSchedule } from "../../proof/simulate/schedule.ts";
import { shrink } from "../../proof/simulate/shrink.ts";
import type { Outcome } from "../../proof/simulate/simulation.ts";
import { whole } from "../arguments.ts";
import { UsageError } from "../usage.ts";

const MAX_SEED = 2 ** 32 - 1;
const DEFAULT_SEEDS = 200;
/** Runs that shrinking may take. */
const SHRINK_RUNS = 300;
/** How often a campaign prints its figures where there is no terminal. */
const LOG_EVERY_MS = 30_000;
const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

interface Options {
  readonly seeds: number;
  readonly seed?: number;
  readonly from: number;
  readonly scenario?: Scenario;
  readonly for?: number;
  readonly steps?: number;
  readonly jobs: number;
  readonly failures: number;
  /** Runs the seeds that its parent names (jobs.ts). */
  readonly job: boolean;
  readonly faults?: readonly number[];
  readonly actions?: readonly number[];
  readonly shrink: boolean;
  readonly planted?: string | true;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command("simulate")
    .description("run the system in a simulated world of crashes, losses and wrong clocks, by seed")
    .option("--seeds <n>", "how many seeds to run", whole(1, MAX_SEED), DEFAULT_SEEDS)
    .option("--from <n>", "the first seed", whole(0, MAX_SEED), 1)
    .addOption(
      new Option("--scenario <name>", "what every seed concentrates on").choices(SCENARIOS),
    )
    .option("--for <seconds>", "start no seed after this time", whole(1, 1_000_000))
    .option("--jobs <n>", "how many processes, each with a Redis of its own", whole(1, 64), 1)
    .option("--failures <n>", "end after this many failing seeds", whole(1, 1_000), 1)
    .addOption(new Option("--job").default(false).hideHelp())
    .option("--seed <n>", "run this seed alone", whole(0, MAX_SEED))
    .option("--faults <places>", "with --seed: only these of its faults, or none", places)
    .option("--actions <places>", "with --seed: only these of its clients' actions", places)
    .option("--steps <n>", "most events per seed", whole(1, MAX_SEED))
    .option("--planted [name]", "plant known faults into the code, and find each (or one)")
    .option("--no-shrink", "do not shrink a failing seed")
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
  if (options.job) return inRig(options, async (run) => serveJob(run)).then(() => true);
  if (options.planted !== undefined) return huntAll(options);
  const { seed, scenario, faults, actions } = options;
  if (seed === undefined) return many(options);
  return inRig(options, (run) => one(run, { seed, scenario, faults, actions }, options));
}

async function inRig<T>({ steps }: Options, use: (run: RunSeed) => Promise<T>): Promise<T> {
  const rig = await openRig();
  try {
    return await use((kept) => runOne({ open: rig.open, mostSteps: steps }, kept));
  } finally {
    await rig.close();
  }
}

async function one(run: RunSeed, kept: Kept, { json }: Options): Promise<boolean> {
  const outcome = await run(kept);
  const { lines, ...rest } = outcome;
  process.stdout.write(
    json ? `${JSON.stringify(rest)}\n` : `${[...outcomeLines(outcome), ""].join("\n")}`,
  );
  return outcome.violations.length === 0;
}

async function many(options: Options): Promise<boolean> {
  const { json, jobs, from } = options;
  const out = json ? process.stderr : process.stdout;
  out.write(`  from seed ${from} on\n`);
  const tally = await (jobs > 1
    ? inJobs(options, (lanes) => campaign(lanes, options, out))
    : inRig(options, (lane) => campaign([lane], options, out)));
  out.write(`  ${figures(tally)}\n`);
  for (const failed of tally.failed) {
    out.write(`${outcomeLines(failed).join("\n")}\n`);
    if (options.shrink) await inRig(options, (run) => shrunk(run, failed, options, out));
  }
  out.write(`  to continue: ${goOn(options, tally.next)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(jsonOf(tally))}\n`);
  return tally.failed.length === 0;
}

async function inJobs<T>(
  { jobs, steps }: Options,
  use: (lanes: readonly RunSeed[]) => Promise<T>,
): Promise<T> {
  const args = steps === undefined ? [] : ["--steps", `${steps}`];
  const started = Array.from({ length: jobs }, () => startJob(args));
  try {
    return await use(started.map(({ run }) => run));
  } finally {
    await Promise.all(started.map((job) => job.end()));
  }
}

/** Runs until it is interrupted: then what runs ends first. Interrupted again, it ends at once. */
async function campaign(
  lanes: readonly RunSeed[],
  { seeds, from, scenario, for: seconds, failures }: Options,
  out: NodeJS.WriteStream,
): Promise<Tally> {
  const progress = new Progress(out);
  let line = "";
  let shownMs = 0;
  progress.follow(() => line);
  const abort = new AbortController();
  const interrupt = () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  };
  for (const signal of INTERRUPTS) process.on(signal, interrupt);
  try {
    return await runSeeds(lanes, {
      ...{ first: from, seeds, scenario, forMs: seconds && seconds * 1_000 },
      ...{ mostFailed: failures, signal: abort.signal },
      onSeed: (_, so) => {
        if (!out.isTTY && so.realMs < shownMs + LOG_EVERY_MS && shownMs > 0) return;
        shownMs = so.realMs;
        line = `  ${figures(so)}`;
      },
    });
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
    progress.done();
  }
}

/** `scenario` in the options is the one that was named, not what a seed drew. */
async function shrunk(
  run: RunSeed,
  { seed, violations }: Outcome,
  { scenario }: Options,
  out: NodeJS.WritableStream,
): Promise<void> {
  const schedule = drawSchedule(seed, scenario);
  const { faults, actions } = schedule;
  const size = { faults: faults.length, actions: actions.length };
  const kept = await shrink(seed, size, violations, {
    run: async (smaller) => (await run({ ...smaller, scenario })).violations,
    most: SHRINK_RUNS,
  });
  const faultsLeft = countWords(kept.faults.length, "fault");
  const actionsLeft = countWords(kept.actions.length, "action");
  out.write(`\n  shrunk to ${faultsLeft} and ${actionsLeft}:\n`);
  for (const place of kept.faults) out.write(`    ${JSON.stringify(schedule.faults[place])}\n`);
  for (const place of kept.actions) out.write(`    ${JSON.stringify(schedule.actions[place])}\n`);
  out.write(`  replay: ${commandOf({ ...kept, scenario })}\n`);
}

/** Each planted fault in turn, until it is found. */
async function huntAll(options: Options): Promise<boolean> {
  const { planted, from, seeds, scenario, for: forSeconds, json } = options;
  const wanted = PLANTED.filter(({ name }) => planted === true || name === planted);
  if (wanted.length === 0) throw new UsageError(`--planted: there is no '${planted}'`);
  const out = json ? process.stderr : process.stdout;
  const found: Found[] = [];
  for (const one of wanted) {
    const result = await hunt(one, { first: from, seeds, scenario, forSeconds });
    found.push(result);
    const after =
      result.seeds === undefined ? "NOT FOUND" : `after ${countWords(result.seeds, "seed")}`;
    out.write(`  ${one.name.padEnd(26)} ${after.padEnd(18)} ${result.violation.slice(0, 100)}\n`);
  }
  const missed = found.filter((one) => one.seeds === undefined).length;
  out.write(`  planted faults found: ${found.length - missed} of ${found.length}\n`);
  if (json) process.stdout.write(`${JSON.stringify(found)}\n`);
  return missed === 0;
}
