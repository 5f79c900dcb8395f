import { expect, test } from "bun:test";
import { costOf } from "./cost.ts";
import type { CurvePoint, CurveResult } from "./curve.ts";
import { curvePage } from "./curve-page.ts";

const latency = {
  accepted: { count: 1, p50: 5, p99: 40, max: 50 },
  decided: { count: 1, p50: 15, p99: 66.6, max: 70 },
  refused: { count: 0, p50: 0, p99: 0, max: 0 },
};
const point: CurvePoint = {
  ...{ offered: 3_000, achieved: 2_990, decidedPerSecond: 2_950, refusedShare: 0, refused: {} },
  ...{ unanswered: 0, undecided: 0, behindMs: 1, waiting: [], moments: [], latency },
  cost: costOf({ load: 20, "worker-1": 40, "gateway-eu": 30, redis: 20, rabbitmq: 10 }),
  batching: { perMessage: 3.3, perCall: 8 },
};
const machine = { cpu: "here", cores: 2, memoryGb: 8, bun: "1", redis: "7", rabbitmq: "3" };
const result: CurveResult = {
  ...{ at: "now", machine, ledger: "PostgreSQL 15", ledgerCpu: false },
  ...{ redisPersistence: "nothing written to disk", shards: 8, gateways: 1, workers: 1 },
  ...{ seconds: 12, warmUpSeconds: 10, sockets: 32, spread: false, allReserved: false },
  ...{ targetWaitMs: 2_000, points: [point], idleMicrosPerSecond: costOf({ redis: 10_000 }) },
};

test("the generator is not part of an order's cost; parts of one kind are added up", () => {
  const cost = costOf({ load: 20, "worker-1": 40, "worker-2": 5, "gateway-eu": 30, stub: 1 });
  expect(cost).toEqual({
    all: 76,
    generator: 20,
    parts: { worker: 45, gateway: 30, other: 1 },
  });
});

test("the page has each rate's cost, batching and latencies, and the conditions", () => {
  const page = curvePage(result);
  expect(page).toContain(
    "| 3,000 | 2,990 | 2,950 | 0 | **100** | 30.0 | 40.0 | 20.0 | 10.0 | 20.0 |",
  );
  expect(page).toContain("| 3,000 | 3.3 | 8.0 | ? | 5.0 | 40.0 | 15.0 | 66.6 |");
  expect(page).toContain("PostgreSQL 15 on a server whose CPU is not counted");
  expect(page).toContain("nothing written to disk");
  expect(page).toContain("1.0% of a core");
});

test("where many are refused, the page has the cost of an accepted order too", () => {
  const page = curvePage({ ...result, points: [{ ...point, refusedShare: 0.5 }] });
  expect(page).toContain("At 3,000/s 50.0% were refused: 200 µs per accepted order.");
  expect(curvePage(result)).not.toContain("per accepted");
});

test("orders without an answer, and messages that still wait, are on the page", () => {
  const waiting = [{ where: "orders.1", ready: 2, unacknowledged: 0 }];
  const page = curvePage({ ...result, points: [{ ...point, unanswered: 7, waiting }] });
  expect(page).toContain("**3,000/s: 7 orders unanswered. Still waiting at the end: orders.1: 2");
});
