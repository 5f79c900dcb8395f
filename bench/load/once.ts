// sluice bench load: one open-loop run at a chosen rate.
import type { BenchLedger } from "../bench-ledger.ts";
import { type Conditions, conditionsOf } from "../conditions.ts";
import { settled, type Waiting } from "../intake/settled.ts";
import { type LoadPlan, type LoadResult, progressOf, runLoad } from "./run.ts";
import { type LoadedStackOptions, onStack } from "./stack.ts";

export interface LoadOnceOptions extends LoadedStackOptions, LoadPlan {
  readonly ledger: BenchLedger;
}

export interface LoadOnce extends LoadResult, Conditions {
  readonly targetWaitMs: number;
  readonly workerRate: number;
  readonly allReserved: boolean;
  readonly spread: boolean;
  /** What was still unfinished long after the run. */
  readonly waiting: readonly Waiting[];
}

export async function benchLoad(options: LoadOnceOptions): Promise<LoadOnce> {
  const { rate, seconds, warmUpSeconds, sockets, allReserved, spread = false } = options;
  const { targetWaitMs, workerRate, ledger, say } = options;
  const plan = { rate, seconds, warmUpSeconds, sockets, allReserved, spread };
  return onStack(options, {}, async (stack, redis) => {
    const conditions = await conditionsOf(stack, redis, ledger);
    const load = await runLoad(stack, plan, (report) => say(`  ${progressOf(report)}`));
    const waiting = await settled(stack, redis);
    return { ...conditions, targetWaitMs, workerRate, allReserved, spread, ...load, waiting };
  });
}
