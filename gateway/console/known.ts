// What the console knows of each part of the system, and of when. A part that cannot be read now
// keeps its last known value with its age: unknown is not zero. Each part is read by itself, so one
// that cannot be read leaves the others as they are.
import type { Figures } from "../../core/domain/figures.ts";
import type { Overview } from "../../core/domain/overview.ts";
import type { GatewayReport, RoleReport, WorkerReport } from "../../core/domain/report.ts";
import type { Revenue } from "../../core/domain/sale-figures.ts";

export interface Known<T> {
  /** undefined: it was never known. */
  readonly value: T | undefined;
  /** When it was so, on the reader's monotonic clock, ms. */
  readonly atMs: number;
  /** Why it is not as of now; empty: it is. */
  readonly why: string;
}

interface Parts {
  readonly stores: Pick<Overview, "redis" | "ledger">;
  readonly verdict: Overview["verdict"];
  readonly sales: Overview["sales"];
  /** Of all sales. */
  readonly revenue: readonly Revenue[];
  readonly orders: Overview["orders"];
  readonly flow: Overview["flow"];
  readonly workers: readonly WorkerReport[];
  readonly gateways: readonly GatewayReport[];
  readonly others: readonly RoleReport[];
  readonly shards: Figures["shards"];
  readonly dead: Overview["dead"];
  readonly lost: Overview["lost"];
  readonly routing: Overview["routing"];
  readonly waits: Pick<Figures, "outcomeP50Ms" | "outcomeP99Ms">;
}

export type Knowledge = { readonly [Name in keyof Parts]: Known<Parts[Name]> };

interface Reader<T> {
  /** When it was known last, Unix ms; null: never. Absent: it is of the overview's own time. */
  readonly asOf?: (now: Overview) => number | null;
  /** Whether it says anything now; if not, what was known before stays. Absent: always. */
  readonly told?: (now: Overview) => boolean;
  /** Throws what keeps it from being read. */
  readonly read: (now: Overview, figures: () => Figures) => T;
}

const roles = ({ asOf }: Overview) => asOf.roles;
/** Without reports from Redis the gateway sends rates without values. */
const reported = ({ unasked }: Overview) => !unasked.includes("redis");

const READERS: { readonly [Name in keyof Parts]: Reader<Parts[Name]> } = {
  stores: { read: ({ redis, ledger }) => ({ redis, ledger }) },
  verdict: { read: (o) => present(o.verdict) },
  sales: { asOf: salesAsOf, read: (o) => present(o.sales) },
  revenue: { asOf: (o) => o.asOf.revenue, read: (o) => present(o.revenue) },
  orders: { asOf: roles, told: reported, read: (o) => present(o.orders) },
  flow: { asOf: roles, told: reported, read: (o) => present(o.flow) },
  workers: { asOf: roles, read: (o) => o.roles.filter((r) => r.kind === "worker") },
  gateways: { asOf: roles, read: (o) => o.roles.filter((r) => r.kind === "gateway") },
  others: {
    asOf: roles,
    read: (o) => o.roles.filter((r) => r.kind !== "worker" && r.kind !== "gateway"),
  },
  shards: { asOf: roles, read: (_, figures) => figures().shards },
  dead: { asOf: (o) => o.asOf.dead, read: (o) => present(o.dead) },
  lost: { asOf: roles, read: (o) => present(o.lost) },
  routing: { asOf: (o) => o.asOf.routes, read: (o) => present(o.routing) },
  waits: { asOf: roles, told: reported, read: (_, figures) => figures() },
};

const NAMES = Object.keys(READERS) as (keyof Parts)[];
/** A part is asked for about once a second; one look may be late. */
const FRESH_MS = 5_000;

/** Nothing is known yet. */
export function nothing(why: string): Knowledge {
  return eachPart(() => ({ value: undefined, atMs: Number.NaN, why }));
}

/** `atMs`: when the overview arrived, on the reader's clock. */
export function learn(
  before: Knowledge,
  now: Overview,
  figures: () => Figures,
  atMs: number,
): Knowledge {
  return eachPart((name) => {
    const { asOf, told, read } = READERS[name];
    try {
      const knownMs = asOf ? asOf(now) : now.atMs;
      if (knownMs === null) return { ...before[name], why: unaskedOf(now) || "not known yet" };
      if (told?.(now) === false && before[name].value !== undefined)
        return { ...before[name], why: unaskedOf(now) };
      const value: unknown = read(now, figures);
      const ageMs = Math.max(0, now.atMs - knownMs);
      const old = unaskedOf(now) || "no newer figures have come";
      return { value, atMs: atMs - ageMs, why: ageMs > FRESH_MS ? old : "" };
    } catch (error) {
      return { ...before[name], why: error instanceof Error ? error.message : String(error) };
    }
  });
}

/** Nobody answers: everything is as old as it is. */
export function lose(before: Knowledge, why: string): Knowledge {
  return eachPart((name) => ({ ...before[name], why }));
}

function eachPart(make: (name: keyof Parts) => Known<unknown>): Knowledge {
  return Object.fromEntries(NAMES.map((name) => [name, make(name)])) as unknown as Knowledge;
}

/** Sales are as old as the oldest of their units. */
function salesAsOf({ asOf, sales }: Overview): number | null {
  if (asOf.sales === null) return null;
  return Math.min(asOf.sales, ...sales.map((sale) => sale.stockAsOfMs ?? asOf.sales ?? 0));
}

function unaskedOf({ unasked, redis }: Overview): string {
  if (unasked.length === 0) return "";
  if (redis.refuses) return "nobody can report: Redis takes no writes";
  return `no answer from ${unasked.join(", ").replace("redis", "Redis")}`;
}

function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("this gateway does not report it");
  return value;
}
