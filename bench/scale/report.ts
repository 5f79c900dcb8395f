// The matrix as a page: one table per dimension, and what an order, a user and a connection keep in
// memory.
import { conditionText } from "../conditions.ts";
import { PARTS, type PartCost } from "../load/cost.ts";
import type { Dimension } from "./dimensions.ts";
import type { Failed, Measured } from "./point.ts";
import type { ScaleResult } from "./scale.ts";

const TITLES: Readonly<Record<Dimension, string>> = {
  workers: "Workers",
  gateways: "Gateways",
  shards: "Shards",
  items: "Items on sale",
  users: "Users",
  sockets: "Idle WebSockets beside the load",
  batch: "Orders per HTTP request: `POST /v1/orders/batch`, one line each, one in seven reserved",
};

type Rows = readonly (Measured | Failed)[];

export function scalePage(result: ScaleResult): string {
  const tables = Object.entries(result.rows).flatMap(([dimension, rows]) =>
    table(dimension as Dimension, rows),
  );
  return `${[...head(result), ...tables, ...memory(result)].join("\n")}\n`;
}

function head({ machine, seconds, ...conditions }: ScaleResult): string[] {
  return [
    "# Scale",
    "",
    conditionText({ machine, ...conditions }),
    `Each row is a new system and a run of ${seconds} s after a warm-up of 2 s. One dimension`,
    "varies; the rest is 1 worker, 1 gateway, 10 items, 20,000 users, 16 WebSockets, one order a",
    "frame, 30,000 orders in flight, one order in ten reserved. The rows of workers have 4 shards.",
    "",
    `**What limits it.** Everything shares ${machine.cores} cores, the generator included, and`,
    "they are full in every row. A rate here is what is left of the cores, divided by the µs per",
    "order. More workers or gateways therefore show what they cost, not what they add on machines",
    "of their own. With 30,000 orders in flight, p99 is mostly their wait for a core.",
  ];
}

function table(dimension: Dimension, rows: Rows): string[] {
  const batches = dimension === "batch";
  const p99 = batches ? "p99 answered, ms" : "p99 decided, ms";
  const names = [dimension, "decided/s", "µs in all", ...PARTS, "generator", p99];
  const columns = [...names, "gateway MB", "worker MB", "redis MB"];
  return [
    ...["", `## ${TITLES[dimension]}`, ""],
    `| ${columns.join(" | ")} |`,
    `|${"---|".repeat(columns.length)}`,
    ...rows.map((row) => `| ${cells(dimension, row).join(" | ")} |`),
  ];
}

function cells(dimension: Dimension, row: Measured | Failed): string[] {
  const value = n(row.point[dimension]);
  if ("failed" in row) return [value, `not measured: ${row.failed.replaceAll("\n", " ")}`];
  const { cost, memoryMb, decidedP99Ms, answerP99Ms } = row;
  const p99 = decidedP99Ms ?? answerP99Ms;
  return [
    ...[value, n(row.decidedPerSecond), ...costs(cost)],
    p99 === undefined ? "" : n(p99),
    ...["gateway", "worker", "redis"].map((part) => n(memoryMb[part] ?? 0)),
  ];
}

function costs({ all, parts, generator }: PartCost): string[] {
  const each = PARTS.map((part) => parts[part]?.toFixed(1) ?? "");
  return [all.toFixed(1), ...each, generator.toFixed(1)];
}

function memory({ rows }: ScaleResult): string[] {
  const lines = [...orderAndUser(rows.users ?? []), ...connection(rows.sockets ?? [])];
  return lines.length === 0 ? [] : ["", "## Memory", "", ...lines];
}

/**
 * An order's and a user's share of what Redis grew by. The two rows have different numbers of
 * users, so both shares follow from them.
 */
function orderAndUser(rows: Rows): string[] {
  const [few, many] = rows.filter(isMeasured);
  if (!few || !many) return [];
  const shares = sharesOf(few, many);
  if (!shares) return [];
  return [
    `- Redis keeps ${n(shares.perOrder)} bytes per order and ${n(shares.perUser)} per user who`,
    "  ordered.",
  ];
}

/** Bytes; undefined if the rows' users do not differ enough to tell. */
export function sharesOf(
  few: Measured,
  many: Measured,
): { perOrder: number; perUser: number } | undefined {
  const [a, b] = [perOrderUsers(few), perOrderUsers(many)];
  const [x, y] = [few.redisBytesPerOrder, many.redisBytesPerOrder];
  if (x === undefined || y === undefined || b - a < 0.01) return undefined;
  const perUser = (y - x) / (b - a);
  return { perOrder: x - a * perUser, perUser };
}

/** Users who order for the first time, for each order: they are drawn at random. */
function perOrderUsers({ orders, point: { users } }: Measured): number {
  return (users * -Math.expm1(-orders / users)) / orders;
}

function connection(rows: Rows): string[] {
  const last = rows.filter(isMeasured).at(-1);
  if (last?.gatewayBytesPerSocket === undefined) return [];
  const kib = (last.gatewayBytesPerSocket / 1_024).toFixed(1);
  return [`- The gateway keeps ${kib} KiB per idle WebSocket, of ${n(last.point.sockets)}.`];
}

const isMeasured = (row: Measured | Failed): row is Measured => !("failed" in row);
const n = (value: number): string => Math.round(value).toLocaleString("en");
