// Orders by outcome, the slow step, and when an item will be sold out: known, unknown, or zero.
import { expect, test } from "bun:test";
import { Histogram } from "../metrics/histogram.ts";
import { flowOf, orderRates } from "./order-rates.ts";
import type { GatewayReport, PaymentsReport, WorkerReport } from "./report.ts";
import { Selling } from "./selling.ts";
import { gatewayReport, overviewOf, paymentsReport, workerReport } from "./test-reports.ts";

const look = (
  atMs: number,
  gateway: Partial<GatewayReport>,
  worker: Partial<WorkerReport>,
  payments = paymentsReport(),
) => overviewOf({ atMs, roles: [gatewayReport(gateway), payments, workerReport(worker)] });
const rows = (confirmed: number) => ({ rows: { confirmed, shed: 0, unconfirmed: 0 } });

test("orders per second by outcome: sold out apart from rejected, and shed apart from both", () => {
  const before = look(0, rows(0), { outcomes: { reserved: 5 } });
  const refused = { sold_out: 40, shed: 20, rate_limited: 2 };
  const outcomes = { reserved: 15, sold_out: 90, over_limit: 10, parked: 10 };
  const now = look(10_000, { ...rows(100), refused }, { outcomes });
  expect(orderRates(before, now)).toEqual({
    ...{ overMs: 10_000, accepted: 10, decided: 12 },
    byOutcome: { reserved: 1, sold_out: 9, over_limit: 1, parked: 1 },
    ...{ soldOut: 13, rejected: 1, shed: 2 },
    refused: { sold_out: 4, shed: 2, rate_limited: 0.2 },
  });
});

test("without an earlier overview, or while Redis is away, rates are unknown and not zero", () => {
  const now = look(10_000, rows(5), {});
  const dark = { ...now, unasked: ["redis"] };
  for (const [before, after] of [
    [undefined, now],
    [look(0, {}, {}), dark],
    [{ ...look(0, {}, {}), unasked: ["redis"] }, now],
  ] as const)
    expect(orderRates(before, after)).toMatchObject({ accepted: null, soldOut: null, shed: null });
  expect(flowOf(now, dark, orderRates(now, dark)).steps.map((s) => s.waiting)).toEqual([
    ...[null, null, null, null, null, null],
  ]);
});

test("the slow step is marked; a queue alone shows that deciding is slow", () => {
  const slow = new Histogram();
  slow.observe(2, 10);
  const lag = (lagMs: number) => ({
    shards: [{ shard: 0, regions: [{ region: "eu", lagMs, ready: 7, lookedAtMs: 0 }], ...LOAD }],
  });
  const bottleneck = (worker: Partial<WorkerReport>) => {
    const [before, now] = [look(0, rows(0), {}), look(5_000, rows(1), worker)];
    return flowOf(before, now, orderRates(before, now)).bottleneck;
  };
  expect(bottleneck(lag(20))).toBeNull();
  expect(bottleneck(lag(4_000))).toBe("decider");
  expect(bottleneck({ ...lag(4_000), commit: slow.report() })).toBe("ledger");
  const [before, now] = [look(0, rows(0), {}), look(5_000, rows(10), lag(20))];
  const { steps } = flowOf(before, now, orderRates(before, now));
  expect(steps.map(({ step }) => step).join(" ")).toBe(
    "gateway queue decider ledger payments services",
  );
  expect(steps[1]).toEqual({ step: "queue", perS: 0, waitMs: 20, waiting: 7 });
  expect([steps[0]?.perS, steps[2]?.waiting, steps[5]?.waiting]).toEqual([2, 3, null]);
});

test("payments that are all paused hold up what is reserved, and what waits is not known", () => {
  const { governor } = paymentsReport();
  const paused = paymentsReport({ governor: { ...governor, state: "paused" } });
  const charging = (payments: PaymentsReport, reserved: number) => {
    const before = look(0, {}, { outcomes: { reserved: 0 } }, payments);
    const now = look(5_000, {}, { outcomes: { reserved } }, payments);
    const { steps, bottleneck } = flowOf(before, now, orderRates(before, now));
    return [bottleneck, steps[4]?.waiting];
  };
  expect(charging(paused, 50)).toEqual(["payments", null]);
  expect(charging(paused, 0)).toEqual([null, null]);
  expect(charging(paymentsReport(), 50)).toEqual([null, 0]);
});

const LOAD = { load: 3, parked: 0 };

test("an item's end follows from its measured rate, and is unknown until there is one", () => {
  const selling = new Selling();
  const at = (atMs: number, available: number, closesAtMs = 1e9) => {
    const shelf = { total: 100, available };
    selling.look(new Map([["s lamp", shelf]]), atMs);
    return selling.figures("s lamp", shelf, { atMs, closesAtMs });
  };
  expect(at(0, 100)).toEqual({ unitsPerS: null, soldOutAtMs: null });
  expect(at(5_000, 95)).toEqual({ unitsPerS: null, soldOutAtMs: null });
  expect(at(20_000, 80)).toEqual({ unitsPerS: 1, soldOutAtMs: 100_000 });
  expect(at(20_100, 80, 90_000)?.soldOutAtMs).toBeNull();
  // A restock sells nothing, and what comes back does not make the rate negative.
  expect(selling.figures("s lamp", undefined, { atMs: 21_000, closesAtMs: 1e9 })).toEqual({
    ...{ unitsPerS: null, soldOutAtMs: null },
  });
  expect(at(90_000, 100).unitsPerS).toBeNull();
  expect(at(101_000, 100).unitsPerS).toBe(0);
  expect(at(105_000, 0).soldOutAtMs).toBe(105_000);
  expect(at(109_000, 0).soldOutAtMs).toBe(105_000);
});

test("an item of which nothing is sold any more has no end in sight, though it had one", () => {
  const selling = new Selling();
  const endsAt = (atMs: number, available: number) => {
    const shelf = { total: 1_000, available };
    selling.look(new Map([["s lamp", shelf]]), atMs);
    return selling.figures("s lamp", shelf, { atMs, closesAtMs: 1e9 }).soldOutAtMs;
  };
  for (const atMs of [0, 5_000, 10_000]) endsAt(atMs, 1_000 - atMs / 100);
  expect(endsAt(15_000, 850)).toBe(100_000);
  // An outage: no order is accepted.
  for (const atMs of [20_000, 25_000]) expect(endsAt(atMs, 850)).not.toBeNull();
  for (const atMs of [30_000, 35_000, 50_000]) expect(endsAt(atMs, 850)).toBeNull();
  expect(endsAt(55_000, 840)).not.toBeNull();
  // Few are sold, with pauses.
  const slow = new Selling();
  const few = [0, 1, 2, 3, 4, 5, 5, 5, 5].map((sold, i) => {
    const shelf = { total: 1_000, available: 1_000 - sold };
    slow.look(new Map([["s lamp", shelf]]), 5_000 * i);
    return slow.figures("s lamp", shelf, { atMs: 5_000 * i, closesAtMs: 1e9 }).soldOutAtMs;
  });
  expect(few.slice(5)).not.toContain(null);
});

test("a unit or two foretell nothing, unless no more are left", () => {
  const after = (sold: number, total: number) => {
    const selling = new Selling();
    selling.look(new Map([["s lamp", { total, available: total }]]), 0);
    const shelf = { total, available: total - sold };
    return selling.figures("s lamp", shelf, { atMs: 20_000, closesAtMs: 1e9 }).soldOutAtMs;
  };
  expect([after(1, 100), after(4, 100), after(5, 100)]).toEqual([null, null, 400_000]);
  expect(after(2, 4)).toBe(40_000);
});
