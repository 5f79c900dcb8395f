// Batches over HTTP with wrk against a running stack. What was accepted and decided is read from
// the roles' own counts, since wrk does not read answers.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SettingError } from "../../core/settings/settings.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import { unitsOf } from "../batching.ts";
import { recorded } from "../intake/settled.ts";
import { cpuSince, usageByPart } from "../intake/usage.ts";
import { bodiesOver } from "./workload.ts";

export interface BatchPlan {
  readonly dir: string;
  readonly seconds: number;
  readonly batch: number;
  readonly items: number;
}

export interface BatchRun {
  readonly orders: number;
  readonly acceptedPerSecond: number;
  readonly decidedPerSecond: number;
  /** Of an answer: when a whole batch was confirmed. */
  readonly answerP99Ms: number;
  readonly failedRequests: number;
  /** µs of CPU per accepted order. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

const TOKENS = 2_000;
/** Orders in flight, below what a gateway holds unconfirmed (about 70,000). */
const IN_FLIGHT = 20_000;
const MAX_CONNECTIONS = 256;
/** Bodies of one line: 500 of them fit into a request. */
const ONE_LINE = /^[^}]*\}\]\}$/;

export async function runBatches(stack: Stack, redis: RedisStore, plan: BatchPlan) {
  const wrk = Bun.which("wrk");
  if (!wrk) throw new SettingError("wrk is not installed (apt install wrk)");
  const { dir, seconds, batch, items } = plan;
  const files = [join(dir, "batch-tokens"), join(dir, "batch-bodies")] as const;
  const users = Array.from({ length: TOKENS }, (_, i) => mintToken(stack.issuer, `batch-${i}`));
  writeFileSync(files[0], (await Promise.all(users)).join("\n"));
  writeFileSync(
    files[1],
    bodiesOver(items)
      .filter((body) => ONE_LINE.test(body))
      .join("\n"),
  );
  const connections = Math.min(MAX_CONNECTIONS, Math.ceil(IN_FLIGHT / batch));
  const flags = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "20s"];
  const script = join(import.meta.dir, "wrk-batches.lua");
  const url = stack.gateways[0]?.url ?? "";
  const unitsBefore = await unitsOf(stack);
  const before = usageByPart(stack);
  const command = [wrk, ...flags, "-s", script, url, "--", ...files, String(batch)];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const text = await new Response(child.stdout).text();
  await child.exited;
  const unitsThen = await unitsOf(stack);
  await recorded(stack, redis);
  const after = usageByPart(stack);
  const unitsAfter = await unitsOf(stack);
  const line = text.split("\n").find((one) => one.startsWith("{"));
  if (!line || !unitsBefore || !unitsThen || !unitsAfter) throw new Error(`no figures: ${text}`);
  const report = JSON.parse(line) as { seconds: number; p99: number; failed: number };
  const orders = unitsAfter.accepted - unitsBefore.accepted;
  const load = Number(child.resourceUsage()?.cpuTime.total ?? 0) / orders;
  return {
    orders,
    acceptedPerSecond: (unitsThen.accepted - unitsBefore.accepted) / report.seconds,
    decidedPerSecond: (unitsThen.decided - unitsBefore.decided) / report.seconds,
    answerP99Ms: report.p99,
    failedRequests: report.failed,
    cpuMicros: { wrk: load, ...cpuSince(before, after, orders) },
  } satisfies BatchRun;
}
