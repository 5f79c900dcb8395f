// Runs one seed after the other, in one lane or in several at once, and counts what they cover.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type Kept, pick } from "./kept.ts";
import type { Scenario } from "./profiles.ts";
import { drawSchedule } from "./schedule.ts";
import { type Outcome, type SimulateOptions, simulate } from "./simulation.ts";

export interface Tally {
  /** The seed after the last one: where a further campaign continues. */
  next: number;
  seeds: number;
  crashes: number;
  faults: number;
  orders: number;
  steps: number;
  /** Simulated time, and real time, ms. */
  simulatedMs: number;
  realMs: number;
  readonly failed: Outcome[];
}

/** Runs the schedule of a seed, or what is kept of it. */
export type RunSeed = (kept: Kept) => Promise<Outcome>;

export interface CampaignOptions {
  readonly first: number;
  /** For every seed, instead of what it draws. */
  readonly scenario?: Scenario | undefined;
  /** The most seeds. */
  readonly seeds: number;
  /** Real time after which no seed begins. */
  readonly forMs?: number | undefined;
  /** How many failing seeds end it. */
  readonly mostFailed?: number;
  /** Aborted, no seed begins. */
  readonly signal?: AbortSignal;
  readonly onSeed?: (outcome: Outcome, tally: Tally) => void;
}

/** Each lane runs one seed at a time: the next one that no lane has begun. */
export async function runSeeds(
  lanes: readonly RunSeed[],
  options: CampaignOptions,
): Promise<Tally> {
  const { first, seeds, scenario, onSeed, signal } = options;
  const { forMs = Number.POSITIVE_INFINITY, mostFailed = 1 } = options;
  const tally = emptyTally(first);
  const startedMs = realRuntime.monotonicMs();
  const over = () =>
    tally.next >= first + seeds ||
    tally.failed.length >= mostFailed ||
    tally.realMs >= forMs ||
    signal?.aborted === true;
  const drive = async (run: RunSeed) => {
    while (!over()) {
      const outcome = await run({ seed: tally.next++, scenario });
      tally.realMs = realRuntime.monotonicMs() - startedMs;
      add(tally, outcome);
      onSeed?.(outcome, tally);
    }
  };
  await Promise.all(lanes.map(drive));
  return tally;
}

/** In this process. */
export function runOne(options: SimulateOptions, kept: Kept): Promise<Outcome> {
  return simulate(pick(drawSchedule(kept.seed, kept.scenario), kept), options);
}

function emptyTally(next: number): Tally {
  const none = { seeds: 0, crashes: 0, faults: 0, orders: 0, steps: 0 };
  return { next, ...none, simulatedMs: 0, realMs: 0, failed: [] };
}

function add(tally: Tally, outcome: Outcome): void {
  tally.seeds++;
  tally.crashes += outcome.crashes;
  tally.faults += outcome.faults;
  tally.orders += outcome.accepted;
  tally.steps += outcome.steps;
  tally.simulatedMs += outcome.lastedMs;
  if (outcome.violations.length > 0) tally.failed.push(outcome);
}
