// The WebSocket flood against a running stack: orders accepted and decided per second, and what
// each part spent per order.
import { join } from "node:path";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import { type Batching, batchingBetween, unitsOf } from "../batching.ts";
import type { Latencies } from "../load/slices.ts";
import { type Moment, momentsOf } from "../plots/moments.ts";
import type { FloodOptions, FloodReport } from "./flood.ts";
import { linesOf } from "./lines.ts";
import { recorded, settled, type Waiting } from "./settled.ts";
import { cpuSince, usageByPart } from "./usage.ts";

export interface FloodResult {
  readonly sockets: number;
  readonly seconds: number;
  readonly sent: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  /** While orders were being sent. */
  readonly acceptedPerSecond: number;
  readonly decidedPerSecond: number;
  /** Until the last answer, and until the last outcome. */
  readonly answeredAfterS: number;
  /** µs of CPU per accepted order. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  readonly redisMicrosPerOrder: number;
  readonly redisBytesPerOrder: number;
  readonly batching: Batching;
  /** From the moment an order was written; absent if its child reported none. */
  readonly latency?: Latencies;
  /** Rates, orders waiting and latencies over time. */
  readonly moments: readonly Moment[];
  /** What was still unfinished long after the run. */
  readonly waiting: readonly Waiting[];
  /** Resident MB over time, by part. */
  readonly memoryMb: Readonly<Record<string, readonly number[]>>;
}

/** Samples of memory over a run. */
const MEMORY_SAMPLES = 12;

export async function benchFlood(
  stack: Stack,
  redis: RedisStore,
  { drain = true, ...options }: Omit<FloodOptions, "url" | "token"> & { drain?: boolean },
  onSecond: (report: FloodReport) => void,
): Promise<FloodResult> {
  const url = stack.gateways[0]?.url ?? "";
  const token = await mintToken(stack.issuer, "flood", "service");
  const unitsBefore = await unitsOf(stack);
  const before = usageByPart(stack);
  const redisBefore = await redisUsage(redis);
  const child = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, "flood.ts"),
      JSON.stringify({ ...options, url, token }),
    ],
    {
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const memoryMb: Record<string, number[]> = {};
  const every = Math.max(1, Math.floor(options.seconds / MEMORY_SAMPLES));
  let last: FloodReport | undefined;
  const reports: FloodReport[] = [];
  for await (const line of linesOf(child.stdout)) {
    last = JSON.parse(line) as FloodReport;
    if (last.end) break;
    reports.push(last);
    onSecond(last);
    if (Math.round(last.seconds) % every === 0) {
      for (const [part, { rssBytes }] of usageByPart(stack))
        memoryMb[part] = [...(memoryMb[part] ?? []), Math.round(rssBytes / 2 ** 20)];
    }
  }
  const whileSending = reports[reports.length - 1];
  if (!last?.end || !whileSending) throw new Error("the flood ended early");
  if (drain) await recorded(stack, redis);
  const after = usageByPart(stack);
  const redisAfter = await redisUsage(redis);
  const batching = batchingBetween(unitsBefore, await unitsOf(stack));
  const waiting = drain ? await settled(stack, redis) : [];
  const { accepted, cpuMicros: load } = last;
  return {
    sockets: options.sockets,
    seconds: whileSending.seconds,
    sent: last.sent,
    accepted,
    refused: last.refused,
    acceptedPerSecond: whileSending.accepted / whileSending.seconds,
    decidedPerSecond: whileSending.decided / whileSending.seconds,
    answeredAfterS: last.seconds,
    cpuMicros: { load: load / accepted, ...cpuSince(before, after, accepted) },
    redisMicrosPerOrder: (redisAfter.cpuMicros - redisBefore.cpuMicros) / accepted,
    redisBytesPerOrder: (redisAfter.bytes - redisBefore.bytes) / accepted,
    batching,
    ...(last.latency ? { latency: last.latency } : {}),
    moments: momentsOf(reports, last.slices ?? []),
    waiting,
    memoryMb,
  };
}

async function redisUsage(redis: RedisStore): Promise<{ cpuMicros: number; bytes: number }> {
  const info = await redis.run((client) => client.info());
  const value = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  return {
    cpuMicros: (value("used_cpu_user_main_thread") + value("used_cpu_sys_main_thread")) * 1e6,
    bytes: value("used_memory"),
  };
}
