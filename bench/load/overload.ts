// Far more than can be done, three times over: what is accepted, how long it waits, how fast the rest is turned away, and how soon all is well
// again.
//
//   held    the worker decides a quarter of what it could: the gateway has CPU to spare, and three times that rate is offered
//   cpu     three times what the whole machine can do is offered: refusing costs what accepting needs
//   burst   100,000 a second for ten seconds
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { RedisStore } from "../../core/redis.ts";
import { Stack } from "../../ops/demo/stack.ts";
import { benchSale } from "../intake/orders.ts";
import { settled } from "../intake/settled.ts";
import { benchFlood } from "../intake/websocket.ts";
import { type LoadResult, runLoad } from "./run.ts";

export const CASES = ["held", "cpu", "burst"] as const;
export type Case = (typeof CASES)[number];

export interface OverloadOptions {
  readonly dir: string;
  readonly cases: readonly Case[];
  readonly seconds: number;
  /** Of the closed-loop run that finds out what the best is. */
  readonly bestSeconds: number;
  readonly targetWaitMs: number;
  readonly say: (line: string) => void;
}

export interface OverloadCase {
  readonly name: Case;
  /** Orders a second into the ledger with a closed loop that keeps it full. */
  readonly bestPerSecond: number;
  readonly load: LoadResult;
  /** Right after it, at a tenth of the best. */
  readonly after: LoadResult;
  /** From the last order offered until what was accepted had been recorded. */
  readonly recordedAfterS: number;
}

export interface OverloadResult {
  readonly at: string;
  readonly targetWaitMs: number;
  readonly cases: readonly OverloadCase[];
}

const SOCKETS = 32;
/** A third of a second of the best: the ledger always has a full batch waiting, and no admission steps in. */
const WINDOW_S = 0.33;
const BEST_WINDOW = 30_000;
const OVER = 3;
const BURST_PER_SECOND = 100_000;
const BURST_S = 10;
const AFTER_S = 5;

export async function benchOverload(options: OverloadOptions): Promise<OverloadResult> {
  const cases: OverloadCase[] = [];
  const free = await best(options, 0);
  options.say(`  the best: ${Math.round(free)} orders/s`);
  for (const name of options.cases) cases.push(await overload(options, name, free));
  return { at: new Date().toISOString(), targetWaitMs: options.targetWaitMs, cases };
}

async function overload(options: OverloadOptions, name: Case, free: number): Promise<OverloadCase> {
  const { say, seconds, dir } = options;
  const cap = name === "held" ? Math.round(free / 4) : 0;
  const bestPerSecond = cap === 0 ? free : await best(options, cap);
  say(`${name}: the best ${Math.round(bestPerSecond)} orders/s`);
  return onStack({ ...options, dir: join(dir, name) }, cap, async (stack, redis) => {
    const rate = name === "burst" ? BURST_PER_SECOND : Math.round(bestPerSecond * OVER);
    const plan = { sockets: SOCKETS, seconds: name === "burst" ? Math.min(seconds, BURST_S) : seconds, rate, allReserved: false };
    const load = await runLoad(stack, plan, (r) => {
      const refused = Object.values(r.refused).reduce((sum, n) => sum + n, 0);
      say(
        `  ${name}: ${r.seconds.toFixed(0)} s, sent ${perSecond(r.sent, r)}, accepted ${perSecond(r.accepted, r)}, refused ${perSecond(refused, r)}`,
      );
    });
    const recordedAfterS = Math.max(0, load.lastOutcomeS - plan.seconds);
    const after = await runLoad(stack, { ...plan, seconds: AFTER_S, rate: Math.round(bestPerSecond / 10) }, () => undefined);
    await settled(redis, stack.shards);
    return { name, bestPerSecond, load, after, recordedAfterS };
  });
}

/** What goes into the ledger when there is always enough of it, with no more waiting than that takes. */
async function best(options: OverloadOptions, cap: number): Promise<number> {
  return onStack({ ...options, dir: join(options.dir, `best-${cap}`) }, cap, async (stack, redis) => {
    const window = cap === 0 ? BEST_WINDOW : Math.round(cap * WINDOW_S);
    const flood = { sockets: 16, seconds: options.bestSeconds, window, allReserved: false };
    return (await benchFlood(stack, redis, flood, () => undefined)).decidedPerSecond;
  });
}

async function onStack<T>(options: OverloadOptions, cap: number, work: (stack: Stack, redis: RedisStore) => Promise<T>): Promise<T> {
  const { dir, say, targetWaitMs } = options;
  mkdirSync(dir, { recursive: true });
  const env = {
    SLUICE_SOLD_OUT_AT_GATE: "no",
    SLUICE_WORKER_RATE: String(cap),
    SLUICE_TARGET_WAIT: `${targetWaitMs}ms`,
    SLUICE_USER_RATE: "100",
  };
  const stack = await Stack.start({ dir, workers: 1, gateways: 1, say, env });
  const redis = new RedisStore({ url: stack.redisUrl });
  try {
    await redis.client.connect();
    await stack.createSale(benchSale(Date.now()));
    return await work(stack, redis);
  } finally {
    await redis.close();
    await stack.stop();
  }
}

function perSecond(count: number, { seconds }: { readonly seconds: number }): string {
  return `${Math.round(count / seconds).toLocaleString("en")}/s`;
}
