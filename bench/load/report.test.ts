import { expect, test } from "bun:test";
import type { OverloadCase } from "./overload.ts";
import { aims, overloadPage } from "./report.ts";
import type { LoadResult } from "./run.ts";

const latency = {
  accepted: { count: 1, p50: 5, p99: 40, max: 50 },
  decided: { count: 1, p50: 1_500, p99: 2_100, max: 2_400 },
  refused: { count: 1, p50: 2, p99: 18, max: 30 },
};
const load: LoadResult = {
  ...{
    sockets: 32,
    seconds: 60,
    warmUpSeconds: 0,
    offered: 48_000,
    achieved: 48_000,
    accepted: 1_000,
    acceptedPerSecond: 16_500,
    decidedPerSecond: 16_000,
  },
  ...{
    refused: { shed: 2_000 },
    unanswered: 0,
    undecided: 0,
    missed: 0,
    latency,
    lastOutcomeS: 62,
    behindMs: 10,
    cpuMicros: { load: 1 },
    batching: {},
    moments: [],
  },
  memoryMb: { "worker-1": [200, 200, 210], redis: [10, 100, 1_000] },
};
const held: OverloadCase = {
  name: "held",
  bestPerSecond: 16_100,
  bestMicros: 31,
  load,
  after: {
    ...load,
    latency: {
      ...latency,
      decided: { count: 1, p50: 4, p99: 90, max: 99 },
      refused: { count: 0, p50: 0, p99: 0, max: 0 },
    },
  },
  recordedAfterS: 2,
};

const machine = { cpu: "here", cores: 2, memoryGb: 8, bun: "1", redis: "7", rabbitmq: "3" };
const conditions = {
  ...{ at: "now", machine, ledger: "SQLite", ledgerCpu: true, redisPersistence: "none" },
  ...{ shards: 8, gateways: 1, workers: 1 },
};

const missed = (one: OverloadCase) =>
  aims(one, 2_000)
    .filter((a) => !a.met)
    .map((a) => a.what);

test("a case that meets its targets misses none; a store's growth is not the gateway's", () => {
  expect(missed(held)).toEqual([]);
});

test.each([
  ["decided and recorded, of capacity", { ...load, decidedPerSecond: 14_000 }],
  [
    "accepted orders, p99 to the outcome",
    { ...load, latency: { ...latency, decided: { ...latency.decided, p99: 3_001 } } },
  ],
  [
    "refused orders, p99 to the answer",
    { ...load, latency: { ...latency, refused: { ...latency.refused, p99: 20 } } },
  ],
  [
    "memory of gateway and worker, last third over the first",
    { ...load, memoryMb: { "worker-1": [100, 200, 400] } },
  ],
  ["unanswered orders", { ...load, unanswered: 1 }],
  ["accepted orders without an outcome", { ...load, undecided: 1 }],
  ["offered and sent", { ...load, achieved: 40_000 }],
])("a missed target is reported: %s", (what, changed) => {
  expect(missed({ ...held, load: changed })).toEqual([what]);
  const cases = [{ ...held, load: changed }];
  expect(overloadPage({ ...conditions, targetWaitMs: 2_000, cases })).toContain("✗");
});

test("if all is refused, its cost, its answers and the lack of accepted orders are judged", () => {
  const { after: _, ...shed } = { ...held, name: "shed" as const };
  const cheap = { ...load, accepted: 0, cpuMicros: { load: 9, "gateway-eu": 3, redis: 1 } };
  const what =
    "CPU of a refused order, relative to an accepted one at capacity, without the generator";
  expect(missed({ ...shed, load: cheap })).toEqual([]);
  expect(missed({ ...shed, load: { ...cheap, cpuMicros: { "gateway-eu": 6, redis: 1 } } })).toEqual(
    [what],
  );
  expect(missed({ ...shed, load: { ...cheap, accepted: 1 } })).toEqual([what]);
});
