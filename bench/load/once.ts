// sluice bench load: one open-loop run at a chosen rate.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { settled } from "../intake/settled.ts";
import { type LoadResult, progressOf, runLoad } from "./run.ts";
import { type LoadedStackOptions, onStack } from "./stack.ts";

export interface LoadOnceOptions extends LoadedStackOptions {
  readonly rate: number;
  readonly seconds: number;
  readonly sockets: number;
  /** Every order finds stock, instead of one in ten. */
  readonly allReserved: boolean;
}

export interface LoadOnce extends LoadResult {
  readonly at: string;
  readonly targetWaitMs: number;
  readonly workerRate: number;
  readonly allReserved: boolean;
}

export async function benchLoad(options: LoadOnceOptions): Promise<LoadOnce> {
  const { rate, seconds, sockets, allReserved, targetWaitMs, workerRate, say } = options;
  const load = await onStack(options, {}, async (stack, redis) => {
    const result = await runLoad(stack, { rate, seconds, sockets, allReserved }, (report) =>
      say(`  ${progressOf(report)}`),
    );
    await settled(redis, stack.shards);
    return result;
  });
  return {
    at: new Date(realRuntime.wallMs()).toISOString(),
    targetWaitMs,
    workerRate,
    allReserved,
    ...load,
  };
}
