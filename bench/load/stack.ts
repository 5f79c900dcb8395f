// The stack under load: one gateway, one worker, and a sale with the standard workload's items.
import { mkdirSync } from "node:fs";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { type BenchLedger, SQLITE, startOn } from "../bench-ledger.ts";
import { benchSale } from "../intake/orders.ts";

export interface LoadedStackOptions {
  readonly dir: string;
  /** Default: SQLite. */
  readonly ledger?: BenchLedger;
  readonly targetWaitMs: number;
  /** The worker's maximum of orders per second; 0: no limit. */
  readonly workerRate: number;
  readonly say: (line: string) => void;
}

/** `more`: additional settings of its roles. */
export async function onStack<T>(
  { dir, ledger = SQLITE, targetWaitMs, workerRate, say }: LoadedStackOptions,
  more: Readonly<Record<string, string>>,
  work: (stack: Stack, redis: RedisStore) => Promise<T>,
): Promise<T> {
  mkdirSync(dir, { recursive: true });
  const env = {
    SLUICE_SOLD_OUT_AT_GATE: "no",
    SLUICE_WORKER_RATE: String(workerRate),
    SLUICE_TARGET_WAIT: `${targetWaitMs}ms`,
    SLUICE_USER_RATE: "100",
    ...more,
  };
  const stack = await startOn(ledger, { dir, workers: 1, gateways: 1, say, env });
  const redis = new RedisStore({ runtime: realRuntime, url: stack.redisUrl });
  try {
    await redis.client.connect();
    await stack.createSale(benchSale(realRuntime.wallMs()));
    return await work(stack, redis);
  } finally {
    await redis.close();
    await stack.stop();
  }
}
