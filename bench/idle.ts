// What idle WebSockets cost: `bun bench/idle.ts [SOCKETS]`. Before they are opened and with them
// open, it measures the gateway at rest and at 2,000 orders a second, in one system.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { RedisStore } from "../core/stores/redis.ts";
import type { Stack } from "../proof/demo/stack.ts";
import { runLoad } from "./load/run.ts";
import { onStack } from "./load/stack.ts";
import { atRest } from "./rest.ts";
import { openIdle } from "./scale/idle.ts";

const SOCKETS = 10_000;
const SETTLE_S = 10;
const REST_S = 15;
const RATE = 2_000;
const LOAD_S = 15;
const WARM_UP_S = 5;
const LOAD_SOCKETS = 32;

interface Costs {
  readonly sockets: number;
  /** Of the gateway, ms of CPU per second. */
  readonly restMs: number;
  /** From an order's scheduled moment to its acknowledgement and to its outcome, ms. */
  readonly acceptedP50: number;
  readonly acceptedP99: number;
  readonly decidedP99: number;
  /** Of the gateway, µs of CPU per order. */
  readonly orderMicros: number;
  readonly refused: number;
}

async function costs(stack: Stack, redis: RedisStore, sockets: number): Promise<Costs> {
  await realRuntime.sleep(SETTLE_S * 1_000);
  const { parts } = await atRest(stack, redis, REST_S);
  const rest = { rate: RATE, seconds: LOAD_S, warmUpSeconds: WARM_UP_S, sockets: LOAD_SOCKETS };
  const load = await runLoad(stack, { ...rest, spread: true, allReserved: false }, () => undefined);
  const { accepted, decided } = load.latency;
  return {
    sockets,
    restMs: tenth(ofGateway(parts)),
    acceptedP50: tenth(accepted.p50),
    acceptedP99: tenth(accepted.p99),
    decidedP99: tenth(decided.p99),
    orderMicros: tenth(ofGateway(load.cpuMicros)),
    refused: Object.values(load.refused).reduce((sum, n) => sum + n, 0),
  };
}

function ofGateway(parts: Readonly<Record<string, number>>): number {
  const own = Object.entries(parts).filter(([part]) => part.startsWith("gateway"));
  return own.reduce((sum, [, value]) => sum + value, 0);
}

const tenth = (value: number) => Math.round(value * 10) / 10;

if (import.meta.main) {
  const sockets = Number(process.argv[2] ?? SOCKETS);
  const dir = mkdtempSync(join(tmpdir(), "sluice-idle-"));
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  try {
    await onStack({ dir, targetWaitMs: 2_000, workerRate: 0, say }, {}, async (stack, redis) => {
      const without = await costs(stack, redis, 0);
      const idle = await openIdle(stack, sockets);
      const beside = await costs(stack, redis, sockets).finally(idle.close);
      console.table([without, beside]);
      console.log(`${(idle.gatewayBytesEach / 1_024).toFixed(1)} KiB of the gateway each`);
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
