// sluice bench curve: what an order costs at several rates, one after the other on one system. Each
// rate has its own warm-up, and starts once everything before it is finished.
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import type { Batching } from "../batching.ts";
import type { BenchLedger } from "../bench-ledger.ts";
import { type Conditions, conditionsOf } from "../conditions.ts";
import { settled, type Waiting } from "../intake/settled.ts";
import { cpuSince, usageByPart } from "../intake/usage.ts";
import { costOf, type PartCost } from "./cost.ts";
import { type LoadResult, progressOf, refusedOf, runLoad } from "./run.ts";
import type { Latencies } from "./slices.ts";
import { type LoadedStackOptions, onStack } from "./stack.ts";

export const CURVE_RATES = [1_000, 3_000, 6_000, 12_000, 24_000] as const;

export interface CurveOptions extends LoadedStackOptions {
  readonly ledger: BenchLedger;
  readonly rates: readonly number[];
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly sockets: number;
  readonly spread: boolean;
  readonly allReserved: boolean;
}

export interface CurvePoint {
  /** Orders per second: offered, sent, and decided while they were offered. */
  readonly offered: number;
  readonly achieved: number;
  readonly decidedPerSecond: number;
  /** Share of the orders that was refused, and codes with counts. */
  readonly refusedShare: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly unanswered: number;
  readonly undecided: number;
  /** µs of CPU per order, generator apart. */
  readonly cost: PartCost;
  readonly batching: Batching;
  readonly latency: Latencies;
  readonly behindMs: number;
  readonly waiting: readonly Waiting[];
  readonly moments: LoadResult["moments"];
}

export interface CurveResult extends Conditions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly sockets: number;
  readonly spread: boolean;
  readonly allReserved: boolean;
  readonly targetWaitMs: number;
  readonly points: readonly CurvePoint[];
  /** µs of CPU a second when nothing is offered, after the last rate. */
  readonly idleMicrosPerSecond: PartCost;
}

const IDLE_S = 5;

export async function benchCurve(options: CurveOptions): Promise<CurveResult> {
  const { ledger, seconds, warmUpSeconds, sockets, spread, allReserved, targetWaitMs } = options;
  return onStack(options, {}, async (stack, redis) => {
    const conditions = await conditionsOf(stack, redis, ledger);
    const points: CurvePoint[] = [];
    for (const rate of options.rates) {
      const plan = { rate, seconds, warmUpSeconds, sockets, spread, allReserved };
      const load = await runLoad(stack, plan, (report) =>
        options.say(`  ${rate.toLocaleString("en")}/s: ${progressOf(report)}`),
      );
      points.push(pointOf(load, await settled(stack, redis)));
    }
    const idleMicrosPerSecond = await idle(stack);
    const plan = { seconds, warmUpSeconds, sockets, spread, allReserved, targetWaitMs };
    return { ...conditions, ...plan, points, idleMicrosPerSecond };
  });
}

function pointOf(load: LoadResult, waiting: readonly Waiting[]): CurvePoint {
  const { offered, achieved, decidedPerSecond, refused, unanswered, undecided } = load;
  const { batching, latency, behindMs, moments } = load;
  const sent = load.accepted + refusedOf(load) + unanswered;
  return {
    ...{ offered, achieved, decidedPerSecond, refused, unanswered, undecided },
    refusedShare: sent > 0 ? refusedOf(load) / sent : 0,
    cost: costOf(load.cpuMicros),
    ...{ batching, latency, behindMs, waiting, moments },
  };
}

async function idle(stack: Stack): Promise<PartCost> {
  const before = usageByPart(stack);
  await realRuntime.sleep(IDLE_S * 1_000);
  return costOf(cpuSince(before, usageByPart(stack), IDLE_S));
}
