// Runs the open-loop generator against a stack and combines its figures with the resource use of
// the system's parts.
import { join } from "node:path";
import type { Stack } from "../../proof/demo/stack.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import { type Batching, batchingBetween, unitsOf } from "../batching.ts";
import { linesOf } from "../intake/lines.ts";
import { cpuSince, usageByPart } from "../intake/usage.ts";
import { type Moment, momentsOf } from "../plots/moments.ts";
import type { LoadOptions, LoadReport } from "./generator.ts";
import type { Latencies } from "./slices.ts";

export interface LoadResult {
  readonly sockets: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
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
  readonly latency: Latencies;
  readonly lastOutcomeS: number;
  readonly behindMs: number;
  /** µs of CPU per offered order. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  readonly batching: Batching;
  /** Rates, orders waiting and latencies over time. */
  readonly moments: readonly Moment[];
  /** Resident MB over time, by part. */
  readonly memoryMb: Readonly<Record<string, readonly number[]>>;
}

const MEMORY_SAMPLES = 12;

export type LoadPlan = Omit<LoadOptions, "url" | "token">;

export async function runLoad(
  stack: Stack,
  options: LoadPlan,
  onSecond: (report: LoadReport) => void,
): Promise<LoadResult> {
  const url = stack.gateways[0]?.url ?? "";
  const token = await mintToken(stack.issuer, "load", "service");
  const argument = JSON.stringify({ ...options, url, token } satisfies LoadOptions);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "load.ts"), argument], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  const { value: warm } = await lines.next();
  if (warm === undefined) throw new Error("the generator ended in its warm-up");
  const unitsBefore = await unitsOf(stack);
  const before = usageByPart(stack);
  child.stdin.write("go\n");
  child.stdin.end();
  const { reports, last, memoryMb } = await follow(stack, lines, options, onSecond);
  const after = usageByPart(stack);
  const batching = batchingBetween(unitsBefore, await unitsOf(stack));
  const cpuMicros = { load: last.cpuMicros / last.sent, ...cpuSince(before, after, last.sent) };
  return { ...resultOf(options, reports, last), cpuMicros, batching, memoryMb };
}

interface Followed {
  /** One a second, while orders were offered. */
  readonly reports: readonly LoadReport[];
  readonly last: LoadReport;
  readonly memoryMb: Record<string, number[]>;
}

/** Reads the generator's reports and samples memory until its end. */
async function follow(
  stack: Stack,
  lines: AsyncGenerator<string>,
  { seconds }: LoadPlan,
  onSecond: (report: LoadReport) => void,
): Promise<Followed> {
  const memoryMb: Record<string, number[]> = {};
  const every = Math.max(1, Math.floor(seconds / MEMORY_SAMPLES));
  const reports: LoadReport[] = [];
  for await (const line of lines) {
    const report = JSON.parse(line) as LoadReport;
    if (report.end) return { reports, last: report, memoryMb };
    reports.push(report);
    onSecond(report);
    if (Math.round(report.seconds) % every !== 0) continue;
    for (const [part, { rssBytes }] of usageByPart(stack))
      memoryMb[part] = [...(memoryMb[part] ?? []), Math.round(rssBytes / 2 ** 20)];
  }
  throw new Error("the generator ended early");
}

function resultOf(
  { sockets, seconds, warmUpSeconds = 0, rate }: LoadPlan,
  reports: readonly LoadReport[],
  last: LoadReport,
): Omit<LoadResult, "cpuMicros" | "batching" | "memoryMb"> {
  const sending = reports[reports.length - 1];
  const { latency, slices = [] } = last;
  if (!sending || !latency) throw new Error("the generator ended early");
  return {
    ...{ sockets, seconds, warmUpSeconds },
    offered: rate,
    achieved: sending.sent / sending.seconds,
    accepted: last.accepted,
    acceptedPerSecond: sending.accepted / sending.seconds,
    decidedPerSecond: sending.decided / sending.seconds,
    refused: last.refused,
    unanswered: last.sent - last.accepted - refusedOf(last),
    undecided: Math.max(0, last.accepted - last.decided),
    missed: last.missed,
    latency,
    lastOutcomeS: last.lastOutcomeS ?? 0,
    behindMs: last.behindMs,
    moments: momentsOf(reports, slices),
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
