// Orders per second by outcome, and the steps that orders pass with the slow one marked, from two
// overviews. Pure. While Redis is away there are no new reports, so the rates are unknown, not
// zero.
import {
  between,
  byId,
  gatewaysOf,
  growth,
  paymentsOf,
  quantile,
  type Reports,
  workersOf,
} from "./figures.ts";
import type { Overview } from "./overview.ts";
import { againLater } from "./reason-words.ts";
import type { HistogramReport } from "./report.ts";
import type { Flow, OrderRates, Step } from "./sale-figures.ts";

/** An overview before these figures are added to it. */
export type Reported = Pick<Overview, "atMs" | "roles" | "unasked">;

const UNKNOWN: OrderRates = {
  overMs: null,
  accepted: null,
  decided: null,
  byOutcome: {},
  soldOut: null,
  rejected: null,
  refused: {},
  shed: null,
};
/** Outcomes that are not refusals. */
const GRANTED: ReadonlySet<string> = new Set(["reserved", "parked"]);

const isKnown = (o: Reported): boolean => !o.unasked.includes("redis");
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

export function orderRates(before: Reported | undefined, now: Reported): OrderRates {
  if (!before || !isKnown(before) || !isKnown(now) || now.atMs <= before.atMs) return UNKNOWN;
  const overMs = now.atMs - before.atMs;
  const perS = (counts: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(counts).flatMap(([name, n]) =>
        n > 0 ? [[name, (1_000 * n) / overMs] as const] : [],
      ),
    );
  const { decided, refused, accepted } = countsBetween(before, now);
  const byOutcome = perS(decided);
  const refusals = perS(refused);
  const rejected = Object.entries(byOutcome).filter(
    ([outcome]) => outcome !== "sold_out" && !GRANTED.has(outcome),
  );
  return {
    overMs,
    accepted: (1_000 * accepted) / overMs,
    decided: sum(Object.values(byOutcome)),
    byOutcome,
    soldOut: (byOutcome.sold_out ?? 0) + (refusals.sold_out ?? 0),
    rejected: sum(rejected.map(([, n]) => n)),
    refused: refusals,
    shed: againLater(refusals),
  };
}

/** What was counted between two overviews, by process: one that starts again counts once. */
function countsBetween(before: Reported, now: Reported) {
  return {
    accepted: grown(before, now, (o) => byId(gatewaysOf(o), (g) => g.rows.confirmed)),
    decided: byName(before, now, (o) => byId(workersOf(o), (w) => w.outcomes)),
    refused: byName(before, now, (o) => byId(gatewaysOf(o), (g) => g.refused)),
  };
}

type Counts = Readonly<Record<string, number>>;

function grown(
  before: Reported,
  now: Reported,
  read: (o: Reported) => Map<string, number>,
): number {
  return growth(read(before), read(now));
}

function byName(before: Reported, now: Reported, read: (o: Reported) => Map<string, Counts>) {
  const [was, is] = [read(before), read(now)];
  const counts: Record<string, number> = {};
  for (const [id, all] of is)
    for (const [name, n] of Object.entries(all)) {
      const earlier = was.get(id);
      if (earlier) counts[name] = (counts[name] ?? 0) + Math.max(0, n - (earlier[name] ?? 0));
    }
  return counts;
}

/** Beyond these, ms, a step is slow. In the queue, the slowness of the other steps shows. */
const SLOW_MS: Readonly<Record<Step, number>> = {
  gateway: 500,
  queue: 1_000,
  decider: 200,
  ledger: 500,
  payments: 3_000,
  services: Number.POSITIVE_INFINITY,
};

export function flowOf(before: Reported | undefined, now: Reported, rates: OrderRates): Flow {
  const { overMs } = rates;
  const shards = workersOf(now).flatMap((w) => w.shards);
  const queues = shards.flatMap((s) => s.regions);
  const hasOwners = isKnown(now) && workersOf(now).length > 0;
  const whenOwned = (n: number | null) => (hasOwners ? n : null);
  const perS = (read: (o: Reported) => Map<string, number>) =>
    before && overMs !== null ? (1_000 * grown(before, now, read)) / overMs : null;
  const p99 = <R extends { readonly id: string }>(
    reports: (o: Reports) => readonly R[],
    read: (report: R) => HistogramReport,
  ) => (overMs === null ? null : msOf(between(reports, read, before, now)));
  const isPaused = isChargingPaused(now);
  const steps: Flow["steps"] = [
    {
      ...{ step: "gateway", perS: rates.accepted, waiting: null },
      waitMs: p99(gatewaysOf, (g) => g.confirm),
    },
    {
      ...{ step: "queue", perS: rates.decided },
      waitMs: whenOwned(Math.max(0, ...queues.map((q) => q.lagMs))),
      waiting: whenOwned(sumKnown(queues.map((q) => q.ready))),
    },
    {
      ...{ step: "decider", perS: rates.decided, waitMs: p99(workersOf, (w) => w.decide) },
      waiting: whenOwned(sum(shards.map((s) => s.load))),
    },
    {
      ...{ step: "ledger", perS: rates.decided, waitMs: p99(workersOf, (w) => w.commit) },
      waiting: whenOwned(sum(workersOf(now).map((w) => w.unrecorded))),
    },
    {
      ...{ step: "payments", waitMs: p99(paymentsOf, (p) => p.call) },
      perS: perS((o) => byId(workersOf(o), (w) => w.steps.paid ?? 0)),
      // What waits in the queue is not counted: the queue is empty while it is being consumed.
      waiting: isKnown(now) && !isPaused ? sum(paymentsOf(now).map((p) => p.load)) : null,
    },
    {
      ...{ step: "services", waitMs: null },
      perS: perS((o) => byId(workersOf(o), (w) => w.steps.dispatched ?? 0)),
      waiting: servicesWaiting(now),
    },
  ];
  const isHeldUp = isPaused && (rates.byOutcome.reserved ?? 0) > 0;
  return { steps, bottleneck: isHeldUp ? "payments" : slowest(steps) };
}

/** Nobody charges: all payment workers are paused. */
function isChargingPaused(now: Reported): boolean {
  const all = paymentsOf(now);
  return isKnown(now) && all.length > 0 && all.every((p) => p.governor.state === "paused");
}

/** Parts in the services' queues, as the owner of shard 0 counts them. */
function servicesWaiting(now: Reported): number | null {
  const counter = isKnown(now) ? workersOf(now).find((w) => w.services) : undefined;
  return counter?.services ? sum(counter.services.map((s) => s.messages)) : null;
}

/** The step that is the furthest beyond what is normal. If only the queue is, deciding is slow. */
function slowest(steps: Flow["steps"]): Step | null {
  const beyond = steps
    .map(({ step, waitMs }) => ({ step, share: (waitMs ?? 0) / SLOW_MS[step] }))
    .filter(({ share }) => share > 1)
    .toSorted((a, b) => b.share - a.share);
  const worst = beyond.find(({ step }) => step !== "queue") ?? beyond[0];
  return worst?.step === "queue" ? "decider" : (worst?.step ?? null);
}

/** null: one of them is unknown. */
function sumKnown(list: readonly (number | null)[]): number | null {
  return list.reduce((all, n) => (all === null || n === null ? null : all + n), 0);
}

function msOf(histogram: HistogramReport): number | null {
  const seconds = quantile(histogram, 0.99);
  return Number.isNaN(seconds) ? null : seconds * 1_000;
}
