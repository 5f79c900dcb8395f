import { expect, test } from "bun:test";
import { DIMENSIONS, pointsOf, STANDARD, VALUES } from "./dimensions.ts";
import type { Measured } from "./point.ts";
import { scalePage, sharesOf } from "./report.ts";
import type { ScaleResult } from "./scale.ts";

const POINT = { ...STANDARD, shards: 8 };

function measured(users: number, redisBytesPerOrder: number): Measured {
  return {
    point: { ...POINT, users },
    ...{ orders: 300_000, acceptedPerSecond: 50_100, decidedPerSecond: 50_000.4 },
    cost: {
      all: 38.1,
      generator: 1.2,
      parts: { gateway: 10, worker: 9, redis: 17, rabbitmq: 2.1 },
    },
    ...{
      decidedP99Ms: 610.4,
      redisBytesPerOrder,
      memoryMb: { gateway: 300, worker: 200, redis: 80 },
    },
  };
}

const RESULT: ScaleResult = {
  at: "2026-01-01",
  machine: { cpu: "CPU", cores: 2, memoryGb: 24, bun: "1", redis: "7", rabbitmq: "3" },
  ...{ ledger: "SQLite", ledgerCpu: true, redisPersistence: "none", shards: 8 },
  ...{ gateways: 1, workers: 1, seconds: 6, rows: {} },
};

test("each dimension varies alone, from the standard point", () => {
  for (const dimension of DIMENSIONS)
    expect(pointsOf(dimension, 8)).toEqual(
      VALUES[dimension].map((value) => ({ ...POINT, [dimension]: value })),
    );
});

test("the rows of workers have a shard for each, however few a new store has", () => {
  expect(pointsOf("workers", 2).map(({ shards }) => shards)).toEqual([4, 4, 4]);
  expect(pointsOf("users", 2).map(({ shards }) => shards)).toEqual([2, 2]);
});

test("a dimension's table has rate, cost by part, latency and memory, and names the cores", () => {
  const page = scalePage({ ...RESULT, rows: { users: [measured(20_000, 240)] } });
  expect(page).toContain("Everything shares 2 cores");
  expect(page).toContain("## Users");
  expect(page).toContain(
    "| 20,000 | 50,000 | 38.1 | 10.0 | 9.0 | 17.0 | 2.1 |  | 1.2 | 610 | 300 | 200 | 80 |",
  );
});

test("a point that failed says why, and the others stand", () => {
  const failed = { point: { ...POINT, sockets: 10_000 }, failed: "sockets\ncould not be opened" };
  const page = scalePage({ ...RESULT, rows: { sockets: [failed] } });
  expect(page).toContain("| 10,000 | not measured: sockets could not be opened |");
  expect(page).not.toContain("## Memory");
});

test("what an order and a user keep follows from two numbers of users", () => {
  const perOrder = 170;
  const perUser = 300;
  const of = (users: number) => {
    const fresh = (users * (1 - Math.exp(-300_000 / users))) / 300_000;
    return measured(users, perOrder + fresh * perUser);
  };
  const shares = sharesOf(of(20_000), of(1_000_000));
  expect(shares?.perOrder).toBeCloseTo(perOrder, 3);
  expect(shares?.perUser).toBeCloseTo(perUser, 3);
  const page = scalePage({ ...RESULT, rows: { users: [of(20_000), of(1_000_000)] } });
  expect(page).toContain("170 bytes per order and 300 per user");
});

test("runs with the same number of users show nothing about a user", () => {
  expect(sharesOf(measured(20_000, 240), measured(20_000, 250))).toBeUndefined();
});
