// One short run of a matrix: a new system, a warm-up, a flood as fast as the ledger keeps up (or
// HTTP batches), and what it cost.
import { mkdirSync } from "node:fs";
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { type BenchLedger, startOn } from "../bench-ledger.ts";
import { type Conditions, conditionsOf } from "../conditions.ts";
import { recorded } from "../intake/settled.ts";
import { usageByPart } from "../intake/usage.ts";
import { benchFlood } from "../intake/websocket.ts";
import { costOf, type PartCost } from "../load/cost.ts";
import { runBatches } from "./batches.ts";
import type { Point } from "./dimensions.ts";
import { type Idle, openIdle } from "./idle.ts";
import { salesOver } from "./workload.ts";

export interface PointOptions {
  readonly dir: string;
  readonly ledger: BenchLedger;
  readonly seconds: number;
}

export interface Measured {
  readonly point: Point;
  readonly orders: number;
  readonly acceptedPerSecond: number;
  readonly decidedPerSecond: number;
  readonly cost: PartCost;
  /** From the moment an order was written to its outcome. */
  readonly decidedP99Ms?: number;
  /** HTTP batches only: to the answer. */
  readonly answerP99Ms?: number;
  readonly redisBytesPerOrder?: number;
  /** What the gateways grew by for each idle socket. */
  readonly gatewayBytesPerSocket?: number;
  /** Resident at the end, added up over processes of a kind. */
  readonly memoryMb: Readonly<Record<string, number>>;
}

/** A point that could not be measured, and why. */
export interface Failed {
  readonly point: Point;
  readonly failed: string;
}

const WARM_UP_S = 2;
const FLOOD_SOCKETS = 16;
/** Orders in flight, as in `bench intake`'s sustained run. */
const WINDOW = 30_000;
/** Capacity is measured, so nobody is rejected, and no worker pauses for the generator. */
const SETTINGS = {
  SLUICE_GOVERNOR_CPU: "off",
  SLUICE_SOLD_OUT_AT_GATE: "no",
  SLUICE_TARGET_WAIT: "1m",
  SLUICE_STALL_ORDERS: "1000000",
  SLUICE_USER_RATE: "100000",
  SLUICE_USER_BURST: "1000000",
};

export async function measure(
  point: Point,
  options: PointOptions,
  onConditions: (conditions: Conditions) => void,
): Promise<Measured | Failed> {
  mkdirSync(options.dir, { recursive: true });
  try {
    return await onSystem(point, options, async (stack, redis) => {
      onConditions(await conditionsOf(stack, redis, options.ledger));
      return withIdle(point, stack, (idle) => run(point, options, { stack, redis, idle }));
    });
  } catch (error) {
    return { point, failed: messageOf(error) };
  }
}

async function onSystem<T>(
  { workers, gateways, shards, items }: Point,
  { dir, ledger }: PointOptions,
  work: (stack: Stack, redis: RedisStore) => Promise<T>,
): Promise<T> {
  const env = { ...SETTINGS, SLUICE_SHARDS: String(shards) };
  const stack = await startOn(ledger, { dir, workers, gateways: 1, env });
  const redis = new RedisStore({ runtime: realRuntime, url: stack.redisUrl });
  try {
    await redis.client.connect();
    const region = stack.regions[0]?.name ?? "";
    for (let i = 2; i <= gateways; i++) await stack.fleet.gateway(region, 0, `gateway-${i}`);
    for (const sale of salesOver(items, realRuntime.wallMs())) await stack.createSale(sale);
    return await work(stack, redis);
  } finally {
    await redis.close();
    await stack.stop();
  }
}

async function withIdle<T>(
  { sockets }: Point,
  stack: Stack,
  work: (idle: Idle | undefined) => Promise<T>,
): Promise<T> {
  const idle = sockets > 0 ? await openIdle(stack, sockets) : undefined;
  try {
    return await work(idle);
  } finally {
    await idle?.close();
  }
}

interface System {
  readonly stack: Stack;
  readonly redis: RedisStore;
  readonly idle: Idle | undefined;
}

async function run(point: Point, options: PointOptions, { stack, redis, idle }: System) {
  const figures =
    point.batch > 0
      ? await batches(point, options, stack, redis)
      : await flood(point, options, stack, redis);
  const perSocket = idle ? { gatewayBytesPerSocket: idle.gatewayBytesEach } : {};
  return { point, ...figures, ...perSocket, memoryMb: memoryOf(stack) };
}

type Figures = Omit<Measured, "point" | "memoryMb" | "gatewayBytesPerSocket">;

async function flood(
  { items, users }: Point,
  { seconds }: PointOptions,
  stack: Stack,
  redis: RedisStore,
): Promise<Figures> {
  const more = stack.gateways.slice(1).map(({ url }) => url);
  const plan = { sockets: FLOOD_SOCKETS, window: WINDOW, allReserved: false, items, users, more };
  const quiet = () => undefined;
  await benchFlood(stack, redis, { ...plan, seconds: WARM_UP_S, drain: false }, quiet);
  await recorded(stack, redis);
  const result = await benchFlood(stack, redis, { ...plan, seconds }, quiet);
  const { accepted: orders, acceptedPerSecond, decidedPerSecond, redisBytesPerOrder } = result;
  const cost = costOf(result.cpuMicros);
  const p99 = result.latency ? { decidedP99Ms: result.latency.decided.p99 } : {};
  return { orders, acceptedPerSecond, decidedPerSecond, cost, redisBytesPerOrder, ...p99 };
}

async function batches(
  { batch, items }: Point,
  { dir, seconds }: PointOptions,
  stack: Stack,
  redis: RedisStore,
): Promise<Figures> {
  const plan = { dir, batch, items };
  await runBatches(stack, redis, { ...plan, seconds: WARM_UP_S });
  const { cpuMicros, failedRequests, ...rest } = await runBatches(stack, redis, {
    ...plan,
    seconds,
  });
  if (failedRequests > 0) throw new Error(`${failedRequests} requests failed`);
  return { ...rest, cost: costOf(cpuMicros) };
}

/** By kind of process: `gateway-2` belongs to `gateway`. */
function memoryOf(stack: Stack): Record<string, number> {
  const mb: Record<string, number> = {};
  for (const [part, { rssBytes }] of usageByPart(stack)) {
    const [kind = part] = part.split("-");
    mb[kind] = (mb[kind] ?? 0) + Math.round(rssBytes / 2 ** 20);
  }
  return mb;
}
