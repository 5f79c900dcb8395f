// What the console and `sluice top` compute from two overviews: rates, quantiles, extremes and the
// verdict in a line. Pure and without imports of code: the console's page loads this file as it is.
import type { Overview } from "./overview.ts";
import type {
  FulfilReport,
  GatewayReport,
  HistogramReport,
  PaymentsReport,
  WorkerReport,
} from "./report.ts";

export interface ShardFigure {
  readonly shard: number;
  readonly region: string;
  readonly lagMs: number;
  /** null: unknown. */
  readonly ready: number | null;
  readonly load: number;
  readonly owner: string;
}

export interface Figures {
  /** Rates per second, between the two overviews. */
  readonly acceptedPerS: number;
  readonly decidedPerS: number;
  readonly refusedPerS: number;
  readonly refusedByReason: readonly (readonly [reason: string, perS: number])[];
  readonly paidPerS: number;
  readonly retriesPerS: number;
  /** Ms, between the two overviews; NaN: nothing was counted. */
  readonly outcomeP50Ms: number;
  readonly outcomeP99Ms: number;
  readonly confirmP99Ms: number;
  readonly pending: number;
  readonly worstLagMs: number;
  /** null: unknown. */
  readonly available: number | null;
  readonly total: number | null;
  /** null: not counted since this gateway started. */
  readonly dead: number | null;
  readonly shards: readonly ShardFigure[];
  readonly verdict: { readonly level: "ok" | "pressure" | "trouble"; readonly words: string };
}

export type Reports = Pick<Overview, "roles">;

export const gatewaysOf = (o: Reports): GatewayReport[] =>
  o.roles.filter((r): r is GatewayReport => r.kind === "gateway");
export const workersOf = (o: Reports): WorkerReport[] =>
  o.roles.filter((r): r is WorkerReport => r.kind === "worker");
/** Roles that compete for a queue's messages: payment workers and services. */
export const competingOf = (o: Reports): (PaymentsReport | FulfilReport)[] =>
  o.roles.filter(
    (r): r is PaymentsReport | FulfilReport => r.kind === "payments" || r.kind === "fulfil",
  );
export const paymentsOf = (o: Reports): PaymentsReport[] =>
  o.roles.filter((r): r is PaymentsReport => r.kind === "payments");

/**
 * Rates cover at least this time, ms. Reports arrive about once a second, so two adjacent overviews
 * may count one twice or not at all.
 */
const SPAN_MS = 4_000;

/** The overviews of the last seconds. */
export class Looks<O extends { readonly atMs: number } = Overview> {
  private kept: O[] = [];

  /** The overview to compare this one with: SPAN_MS old, or the oldest available. */
  before(now: O): O | undefined {
    // The clock was set back: nothing that is kept is older than this one.
    if (this.kept[0] && now.atMs < this.kept[0].atMs) this.kept = [];
    for (let next = this.kept[1]; next && now.atMs - next.atMs >= SPAN_MS; next = this.kept[1])
      this.kept.shift();
    const before = this.kept[0];
    this.kept.push(now);
    return before;
  }

  clear(): void {
    this.kept = [];
  }
}

export function figures(before: Overview | undefined, now: Overview): Figures {
  const seconds = before
    ? Math.max(0.001, (now.atMs - before.atMs) / 1_000)
    : Number.POSITIVE_INFINITY;
  const rate = (read: (o: Overview) => Map<string, number>) =>
    growth(before ? read(before) : new Map(), read(now)) / seconds;
  const gateways = gatewaysOf(now);
  const workers = workersOf(now);
  const items = now.sales.flatMap((sale) => sale.items);
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
  const outcome = between(gatewaysOf, (g) => g.outcome, before, now);
  const shards = shardsOf(now, workers);
  const refusedByReason = reasonsOf(before, now)
    .map(([reason, count]): [string, number] => [reason, count / seconds])
    .filter(([, perS]) => perS > 0)
    .sort((a, b) => b[1] - a[1]);
  return {
    acceptedPerS: rate((o) => byId(gatewaysOf(o), (g) => g.rows.confirmed)),
    decidedPerS: rate((o) => byId(workersOf(o), (w) => sum(Object.values(w.outcomes)))),
    refusedPerS: sum(refusedByReason.map(([, perS]) => perS)),
    refusedByReason,
    paidPerS: rate((o) => byId(workersOf(o), (w) => w.steps.paid ?? 0)),
    retriesPerS: rate((o) => byId(workersOf(o), (w) => w.retries)),
    outcomeP50Ms: quantile(outcome, 0.5) * 1_000,
    outcomeP99Ms: quantile(outcome, 0.99) * 1_000,
    confirmP99Ms:
      quantile(
        between(gatewaysOf, (g) => g.confirm, before, now),
        0.99,
      ) * 1_000,
    pending: sum(gateways.flatMap((g) => g.shards.map((s) => s.pending))),
    worstLagMs: Math.max(0, ...shards.map((s) => s.lagMs)),
    available: sumKnown(items.map((i) => i.available)),
    total: sumKnown(items.map((i) => i.total)),
    dead: now.asOf.dead === null ? null : sum(now.dead.map((d) => d.messages)),
    shards,
    verdict: verdictOf(now),
  };
}

/** The most serious findings of the overview's verdict, in one line of words. */
export function verdictOf({ verdict }: Overview): Figures["verdict"] {
  const level = ({ ok: "ok", notice: "ok", warning: "pressure", trouble: "trouble" } as const)[
    verdict.level
  ];
  const words = verdict.findings.filter((f) => f.level === verdict.level).map((f) => f.what);
  return { level, words: words.length > 0 ? words.join("; ") : "All is well" };
}

/**
 * The value below which `share` of the counts lie, interpolated between two bounds and in their
 * unit; NaN: nothing was counted.
 */
export function quantile({ bounds, counts }: HistogramReport, share: number): number {
  const total = counts.reduce((a, b) => a + b, 0);
  if (total <= 0) return Number.NaN;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (below + count >= share * total && count > 0) {
      const from = bounds[i - 1] ?? 0;
      const to = bounds[i] ?? from;
      return from + (to - from) * ((share * total - below) / count);
    }
    below += count;
  }
  return bounds.at(-1) ?? Number.NaN;
}

/** null: one of them is unknown. */
function sumKnown(list: readonly (number | null)[]): number | null {
  return list.reduce((sum, n) => (sum === null || n === null ? null : sum + n), 0);
}

function shardsOf({ owners }: Overview, workers: readonly WorkerReport[]): ShardFigure[] {
  const holder = new Map(owners.map(({ shard, worker }) => [shard, worker]));
  return workers
    .flatMap((w) =>
      w.shards.flatMap((s) =>
        s.regions.map(({ region, lagMs, ready }) => {
          const owner = holder.get(s.shard) ?? w.id;
          return { shard: s.shard, region, lagMs, ready, load: s.load, owner };
        }),
      ),
    )
    .sort((a, b) => a.shard - b.shard || a.region.localeCompare(b.region));
}

/** By process, so a restarted one does not count twice. */
export function byId<R extends { readonly id: string }, V>(
  reports: readonly R[],
  read: (report: R) => V,
): Map<string, V> {
  return new Map(reports.map((r) => [r.id, read(r)]));
}

export function growth(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): number {
  let sum = 0;
  for (const [id, value] of now) sum += Math.max(0, value - (before.get(id) ?? value));
  return sum;
}

function reasonsOf(before: Overview | undefined, now: Overview): [reason: string, count: number][] {
  const counts = new Map<string, number>();
  const earlier = new Map((before ? gatewaysOf(before) : []).map((g) => [g.id, g.refused]));
  for (const g of gatewaysOf(now)) {
    const was = earlier.get(g.id);
    if (was)
      for (const [reason, n] of Object.entries(g.refused))
        counts.set(reason, (counts.get(reason) ?? 0) + n - (was[reason] ?? 0));
  }
  return [...counts];
}

/** What the histograms of several processes counted between two overviews. */
export function between<R extends { readonly id: string }>(
  reports: (o: Reports) => readonly R[],
  read: (report: R) => HistogramReport,
  before: Reports | undefined,
  now: Reports,
): HistogramReport {
  const earlier = new Map((before ? reports(before) : []).map((r) => [r.id, read(r)]));
  let bounds: readonly number[] = [];
  const counts: number[] = [];
  for (const report of reports(now)) {
    const histogram = read(report);
    const was = earlier.get(report.id);
    if (!was) continue;
    bounds = histogram.bounds;
    histogram.counts.forEach((count, i) => {
      counts[i] = (counts[i] ?? 0) + count - (was.counts[i] ?? 0);
    });
  }
  return { bounds, counts, sum: 0 };
}
