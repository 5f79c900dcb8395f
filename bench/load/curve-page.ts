// The page of `bench curve`.
import { conditionText } from "../conditions.ts";
import { waitingLine } from "../intake/settled.ts";
import { PARTS, type PartCost } from "./cost.ts";
import type { CurvePoint, CurveResult } from "./curve.ts";

const TITLES = { redis: "Redis", rabbitmq: "RabbitMQ", postgres: "Postgres" } as const;

/** `plot`: the plot's file, if there is one. */
export function curvePage(result: CurveResult, plot?: string): string {
  const { seconds, warmUpSeconds, sockets, spread, allReserved, targetWaitMs, points } = result;
  const parts = PARTS.filter((part) => points.some(({ cost }) => cost.parts[part] !== undefined));
  return [
    "# Cost per order against load",
    "",
    conditionText(result),
    `Open loop, each rate for ${seconds} s after ${warmUpSeconds} s of warm-up, all on one system;`,
    `${sockets} WebSockets that send ${spread ? "in turns" : "at the same moments"}, one order per`,
    `frame, ${allReserved ? "all" : "one in ten"} reserved; target wait ${n(targetWaitMs)} ms,`,
    "governor and metrics on. CPU in µs per offered order; “all” leaves the generator out.",
    "",
    ...(plot ? [`![CPU per order against orders a second](${plot})`, ""] : []),
    ...table(
      ["offered/s", "sent/s", "decided/s", "refused", "all", ...parts.map(titleOf), "generator"],
      points.map((point) => costRow(point, parts)),
    ),
    "",
    ...table(
      ["offered/s", "orders a message", "a Redis call", "a commit", ...LATENCIES],
      points.map(latencyRow),
    ),
    "",
    "Latencies are in ms and count from each order's intended start;",
    `the generator was at most ${n(Math.max(...points.map((p) => p.behindMs)))} ms behind its`,
    "schedule.",
    `With nothing to do, the system takes ${idleText(result.idleMicrosPerSecond)}.`,
    ...points.flatMap(refusedLine),
    ...points.flatMap(faultsOf),
    "",
  ].join("\n");
}

/** A smaller share of refused orders does not change the cost of one. */
const MIN_REFUSED = 0.01;
const LATENCIES = ["ack p50", "ack p99", "decided p50", "decided p99"] as const;

function costRow(point: CurvePoint, parts: readonly (typeof PARTS)[number][]): string[] {
  const { offered, achieved, decidedPerSecond, refusedShare, cost } = point;
  const each = parts.map((part) => micros(cost.parts[part] ?? 0));
  const rates = [n(offered), n(achieved), n(decidedPerSecond), percent(refusedShare)];
  return [...rates, `**${micros(cost.all)}**`, ...each, micros(cost.generator)];
}

function latencyRow({ offered, batching, latency }: CurvePoint): string[] {
  const { accepted, decided } = latency;
  const shared = [batching.perMessage, batching.perCall, batching.perCommit];
  return [
    n(offered),
    ...shared.map((orders) => (orders === undefined ? "?" : orders.toFixed(1))),
    ...[accepted.p50, accepted.p99, decided.p50, decided.p99].map((ms) => ms.toFixed(1)),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)];
}

function idleText({ all, parts }: PartCost): string {
  const each = Object.entries(parts).map(([part, used]) => `${part} ${share(used)}`);
  return `${share(all)} of a core (${each.join(", ")})`;
}

/** Refusing is cheap, so a rate with refusals looks cheaper than it is. */
function refusedLine({ offered, refusedShare, cost }: CurvePoint): string[] {
  if (refusedShare < MIN_REFUSED || refusedShare === 1) return [];
  const perAccepted = micros(cost.all / (1 - refusedShare));
  const share = percent(refusedShare);
  return [`At ${n(offered)}/s ${share} were refused: ${perAccepted} µs per accepted order.`];
}

/** What should not happen, by rate. */
function faultsOf({ offered, unanswered, undecided, waiting }: CurvePoint): string[] {
  const faults = [
    ...(unanswered > 0 ? [`${n(unanswered)} orders unanswered.`] : []),
    ...(undecided > 0 ? [`${n(undecided)} accepted orders without an outcome.`] : []),
    ...[waitingLine(waiting) ?? []].flat(),
  ];
  return faults.length === 0 ? [] : ["", `**${n(offered)}/s: ${faults.join(" ")}**`];
}

export function titleOf(part: string): string {
  return TITLES[part as keyof typeof TITLES] ?? part;
}

const n = (value: number): string => Math.round(value).toLocaleString("en");
const micros = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
const percent = (value: number): string => (value === 0 ? "0" : `${(value * 100).toFixed(1)}%`);
const share = (microsPerSecond: number): string => `${(microsPerSecond / 1e4).toFixed(1)}%`;
