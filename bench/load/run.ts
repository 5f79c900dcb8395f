// Runs the open-loop generator against a stack and combines its figures with the resource use of
// the system's parts.
import { join } from "node:path";
import type { Stack } from "../../proof/demo/stack.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import { linesOf } from "../intake/lines.ts";
import { usageByPart } from "../intake/usage.ts";
import type { Latency, LoadOptions, LoadReport } from "./load.ts";

export interface LoadResult {
  readonly sockets: number;
  readonly seconds: number;
  /** Orders per second: requested of the generator, and sent by it during the run. */
  readonly offered: number;
  readonly achieved: number;
  readonly accepted: number;
  /** Per second, while orders were offered. */
  readonly acceptedPerSecond: number;
  readonly decidedPerSecond: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly unanswered: number;
  /** Accepted orders without an outcome, and outcomes without a frame of their own. */
  readonly undecided: number;
  readonly missed: number;
  readonly latency: Readonly<Record<"accepted" | "decided" | "refused", Latency>>;
  readonly lastOutcomeS: number;
  readonly behindMs: number;
  /** µs of CPU per offered order. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  /** Resident MB over time, by part. */
  readonly memoryMb: Readonly<Record<string, readonly number[]>>;
}

const MEMORY_SAMPLES = 12;

export async function runLoad(
  stack: Stack,
  options: Omit<LoadOptions, "url" | "token">,
  onSecond: (report: LoadReport) => void,
): Promise<LoadResult> {
  const url = stack.gateways[0]?.url ?? "";
  const token = await mintToken(stack.issuer, "load", "service");
  const before = usageByPart(stack);
  const argument = JSON.stringify({ ...options, url, token } satisfies LoadOptions);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "load.ts"), argument], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const memoryMb: Record<string, number[]> = {};
  const every = Math.max(1, Math.floor(options.seconds / MEMORY_SAMPLES));
  let last: LoadReport | undefined;
  let whileSending: LoadReport | undefined;
  for await (const line of linesOf(child.stdout)) {
    last = JSON.parse(line) as LoadReport;
    if (last.end) break;
    whileSending = last;
    onSecond(last);
    if (Math.round(last.seconds) % every !== 0) continue;
    for (const [part, { rssBytes }] of usageByPart(stack))
      memoryMb[part] = [...(memoryMb[part] ?? []), Math.round(rssBytes / 2 ** 20)];
  }
  if (!last?.end || !last.latency || !whileSending) throw new Error("the generator ended early");
  const refused = refusedOf(last);
  const cpuMicros: Record<string, number> = { load: last.cpuMicros / last.sent };
  for (const [part, { cpuMicros: used }] of usageByPart(stack))
    cpuMicros[part] = (used - (before.get(part)?.cpuMicros ?? 0)) / last.sent;
  return {
    sockets: options.sockets,
    seconds: options.seconds,
    offered: options.rate,
    achieved: whileSending.sent / whileSending.seconds,
    accepted: last.accepted,
    acceptedPerSecond: whileSending.accepted / whileSending.seconds,
    decidedPerSecond: whileSending.decided / whileSending.seconds,
    refused: last.refused,
    unanswered: last.sent - last.accepted - refused,
    undecided: Math.max(0, last.accepted - last.decided),
    missed: last.missed,
    latency: last.latency,
    lastOutcomeS: last.lastOutcomeS ?? 0,
    behindMs: last.behindMs,
    cpuMicros,
    memoryMb,
  };
}

export function refusedOf({ refused }: Pick<LoadResult, "refused">): number {
  return Object.values(refused).reduce((sum, n) => sum + n, 0);
}

/** The progress line of each second: means since the start. */
export function progressOf(report: LoadReport): string {
  const { seconds, sent, accepted } = report;
  const each = (count: number) => `${Math.round(count / seconds).toLocaleString("en")}/s`;
  const refused = each(refusedOf(report));
  const rates = `sent ${each(sent)}, accepted ${each(accepted)}, refused ${refused}`;
  return `${seconds.toFixed(0)} s, ${rates}`;
}
