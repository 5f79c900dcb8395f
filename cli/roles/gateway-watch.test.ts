// How a gateway reads the workers' reports: a shard counts as empty only based on a look into the
// queue of the gateway's own region, and only up to that look.
import { expect, test } from "bun:test";
import type { ShardReport, WorkerReport } from "../../core/domain/report.ts";
import { newsOf } from "./gateway-watch.ts";

const LOOKED_MS = 1_700_000_000_000;
type Queue = ShardReport["regions"][number];

function emptyAt(load: number, ...regions: Queue[]): number | undefined {
  const worker = { shards: [{ shard: 1, load, parked: 0, regions }] } as unknown as WorkerReport;
  const [other, shard] = newsOf({ shards: 2, region: "us" }, [], [worker]);
  expect(other).toEqual({ shard: 0, pendingElsewhere: 0, emptyAtMs: undefined });
  return shard?.emptyAtMs;
}
const queue = (region: string, ready: number | null): Queue => ({
  region,
  ready,
  lagMs: 0,
  lookedAtMs: LOOKED_MS,
});

test("nothing ready in this region's queue, nothing in flight: empty up to the look", () => {
  expect(emptyAt(0, queue("us", 0))).toBe(LOOKED_MS);
  expect(emptyAt(0, queue("eu", 9), queue("us", 0))).toBe(LOOKED_MS);
  expect(emptyAt(0, queue("eu", null), queue("us", 0))).toBe(LOOKED_MS);
});

test("not looked into, ready, in flight, or only another region: nothing is known", () => {
  expect(emptyAt(0, queue("us", null))).toBeUndefined();
  expect(emptyAt(0, queue("us", 1))).toBeUndefined();
  expect(emptyAt(1, queue("us", 0))).toBeUndefined();
  expect(emptyAt(0, queue("eu", 0))).toBeUndefined();
});
