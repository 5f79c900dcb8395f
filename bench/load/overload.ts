// Overload in several cases: how much is accepted, how long it waits, how fast the rest is refused,
// and how soon the system recovers.
//
//   held    the worker is limited to a quarter of its capacity, so the gateway has CPU to spare;
//           three times that limit is offered
//   cpu     three times the machine's capacity is offered: refusing competes with accepting
//   burst   100,000 per second for ten seconds
//   shed    the gateway accepts nothing (Redis's memory counts as full): the cost of refusing
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { BenchLedger } from "../bench-ledger.ts";
import { type Conditions, conditionsOf } from "../conditions.ts";
import { settled, type Waiting } from "../intake/settled.ts";
import { benchFlood } from "../intake/websocket.ts";
import { type LoadResult, progressOf, runLoad } from "./run.ts";
import { onStack } from "./stack.ts";

export const CASES = ["held", "cpu", "burst", "shed"] as const;
export type Case = (typeof CASES)[number];

export interface OverloadOptions {
  readonly dir: string;
  readonly ledger: BenchLedger;
  readonly cases: readonly Case[];
  readonly seconds: number;
  /** Length of the closed-loop run that measures the capacity. */
  readonly bestSeconds: number;
  readonly targetWaitMs: number;
  readonly say: (line: string) => void;
}

export interface OverloadCase {
  readonly name: Case;
  /** Orders per second recorded under a closed loop that keeps the ledger full. */
  readonly bestPerSecond: number;
  /** µs of CPU per accepted order in that run, without the generator. */
  readonly bestMicros: number;
  readonly load: LoadResult;
  /** The run right after the flood, at 10% of capacity; absent if nothing was accepted. */
  readonly after?: LoadResult;
  /** From the last offered order until all accepted ones were recorded. */
  readonly recordedAfterS: number;
  /** What was still unfinished long after the run. */
  readonly waiting?: readonly Waiting[];
}

export interface OverloadResult extends Conditions {
  readonly targetWaitMs: number;
  readonly cases: readonly OverloadCase[];
}

const SOCKETS = 32;
/**
 * A third of a second at capacity: the ledger always has a full batch waiting, and admission does
 * not intervene.
 */
const WINDOW_S = 0.33;
const BEST_WINDOW = 30_000;
const OVER = 3;
const BURST_PER_SECOND = 100_000;
const BURST_S = 10;
const LENGTH: Partial<Record<Case, number>> = { burst: BURST_S, shed: 10 };
const AFTER_S = 5;
/** Before the flood a tenth of the capacity is offered, as on a running system before a sale. */
const WARM_S = 4;
/** Gateways check Redis's memory once a second. */
const HEAR_MS = 3_000;

interface Best {
  readonly perSecond: number;
  readonly micros: number;
  readonly conditions: Conditions;
}

export async function benchOverload(options: OverloadOptions): Promise<OverloadResult> {
  const cases: OverloadCase[] = [];
  const free = await best(options, 0);
  options.say(`  capacity: ${Math.round(free.perSecond)} orders/s`);
  for (const name of options.cases) cases.push(await overload(options, name, free));
  return {
    ...free.conditions,
    targetWaitMs: options.targetWaitMs,
    cases,
  };
}

async function overload(options: OverloadOptions, name: Case, free: Best): Promise<OverloadCase> {
  const { say, seconds, dir } = options;
  const cap = name === "held" ? Math.round(free.perSecond / 4) : 0;
  const { perSecond: bestPerSecond, micros: bestMicros } =
    cap === 0 ? free : await best(options, cap);
  say(`${name}: capacity ${Math.round(bestPerSecond)} orders/s`);
  const env: Record<string, string> = name === "shed" ? { SLUICE_REDIS_MEMORY: "1" } : {};
  return onStack(
    { ...options, dir: join(dir, name), workerRate: cap },
    env,
    async (stack, redis) => {
      if (name === "shed") await realRuntime.sleep(HEAR_MS);
      if (name !== "shed")
        await runLoad(
          stack,
          {
            sockets: SOCKETS,
            seconds: WARM_S,
            rate: Math.round(bestPerSecond / 10),
            allReserved: false,
          },
          () => undefined,
        );
      const rate = name === "burst" ? BURST_PER_SECOND : Math.round(bestPerSecond * OVER);
      const plan = {
        sockets: SOCKETS,
        seconds: Math.min(seconds, LENGTH[name] ?? seconds),
        rate,
        allReserved: false,
      };
      const load = await runLoad(stack, plan, (r) => {
        say(`  ${name}: ${progressOf(r)}`);
      });
      const recordedAfterS = Math.max(0, load.lastOutcomeS - plan.seconds);
      if (name === "shed") return { name, bestPerSecond, bestMicros, load, recordedAfterS };
      const after = await runLoad(
        stack,
        { ...plan, seconds: AFTER_S, rate: Math.round(bestPerSecond / 10) },
        () => undefined,
      );
      const waiting = await settled(stack, redis);
      return { name, bestPerSecond, bestMicros, load, after, recordedAfterS, waiting };
    },
  );
}

/**
 * The rate of the ledger when it always has enough to record, without extra waiting or refusals.
 */
async function best(options: OverloadOptions, cap: number): Promise<Best> {
  return onStack(
    { ...options, dir: join(options.dir, `best-${cap}`), workerRate: cap },
    cap === 0 ? { SLUICE_TARGET_WAIT: "1m" } : {},
    async (stack, redis) => {
      const window = cap === 0 ? BEST_WINDOW : Math.round(cap * WINDOW_S);
      const flood = { sockets: 16, seconds: options.bestSeconds, window, allReserved: false };
      const { decidedPerSecond, cpuMicros } = await benchFlood(
        stack,
        redis,
        flood,
        () => undefined,
      );
      const conditions = await conditionsOf(stack, redis, options.ledger);
      return { perSecond: decidedPerSecond, micros: ofSystem(cpuMicros), conditions };
    },
  );
}

/** CPU of all parts without the generator. */
export function ofSystem({ load: _, ...parts }: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((sum, micros) => sum + micros, 0);
}
