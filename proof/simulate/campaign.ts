// Runs one seed after the other and counts what they cover.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type Kept, pick } from "./kept.ts";
import type { Scenario } from "./profiles.ts";
import { drawSchedule } from "./schedule.ts";
import { type Outcome, type SimulateOptions, simulate } from "./simulation.ts";

export interface Tally {
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

export interface CampaignOptions extends SimulateOptions {
  readonly first: number;
  /** For every seed, instead of what it draws. */
  readonly scenario?: Scenario;
  /** The most seeds. */
  readonly seeds: number;
  /** Real time after which no seed begins. */
  readonly forMs?: number;
  /** How many failing seeds end it. */
  readonly mostFailed?: number;
  readonly onSeed?: (outcome: Outcome, tally: Tally) => void;
}

export async function runSeeds(options: CampaignOptions): Promise<Tally> {
  const { first, seeds, forMs = Number.POSITIVE_INFINITY, mostFailed = 1, onSeed } = options;
  const tally = emptyTally();
  const startedMs = realRuntime.monotonicMs();
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = await runOne(options, { seed, scenario: options.scenario });
    tally.realMs = realRuntime.monotonicMs() - startedMs;
    add(tally, outcome);
    onSeed?.(outcome, tally);
    if (tally.failed.length >= mostFailed || tally.realMs >= forMs) break;
  }
  return tally;
}

/** Runs the schedule of a seed, or what is kept of it. */
export function runOne(options: SimulateOptions, kept: Kept): Promise<Outcome> {
  return simulate(pick(drawSchedule(kept.seed, kept.scenario), kept), options);
}

function emptyTally(): Tally {
  const none = { seeds: 0, crashes: 0, faults: 0, orders: 0, steps: 0 };
  return { ...none, simulatedMs: 0, realMs: 0, failed: [] };
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
