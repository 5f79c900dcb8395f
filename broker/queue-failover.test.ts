// One queue of a region fails, and the others do not.
import { expect, test } from "bun:test";
import { DEADLINE_MS, PATIENCE_MS, rig } from "./test-failover.ts";

/** What became of the batches of two lanes, each with one in flight, for a minute. */
async function minute({ runtime, publish }: ReturnType<typeof rig>, everyMs: number) {
  const lane = async (key: string) => {
    const results: Awaited<ReturnType<typeof publish>>[] = [];
    while (runtime.monotonicMs() < endMs) {
      results.push(await publish(key));
      await runtime.sleep(everyMs);
    }
    return results;
  };
  const endMs = runtime.monotonicMs() + 60_000;
  const lanes = ["stuck", "other"].map(lane);
  await runtime.advance(60_000 + DEADLINE_MS);
  const [stuck = [], other = []] = await Promise.all(lanes);
  return { stuck, other };
}

test("a queue that never confirms: its batches go elsewhere, the others stay home", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  const { stuck, other } = await minute(all, 100);
  expect(new Set(other.map(({ region }) => region))).toEqual(new Set([undefined]));
  expect(new Set(stuck.map(({ outcome }) => outcome))).toEqual(new Set(["confirmed"]));
  // The first, and one trial after 5, 10, 20 … s.
  expect(stuck.filter(({ tookMs }) => tookMs > 0).length).toBeLessThanOrEqual(4);
  expect(all.changes.filter((change) => !change.startsWith("eu/stuck "))).toEqual([]);
  expect(all.failover.view()[0]).toMatchObject({ breaker: "closed", queues: ["stuck"] });
});

test("without other batches to compare, its region is left for it once, not again", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  const { other } = await minute(all, 7_000);
  expect(all.changes.filter((change) => change === "eu open")).toHaveLength(1);
  expect(other.at(-1)?.region).toBeUndefined();
  expect(all.failover.region).toBe("eu");
});

test("a queue that confirms again gets its batches back", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  await minute(all, 100);
  all.eu.stuck = undefined;
  const { stuck } = await minute(all, 100);
  expect(stuck.at(-1)?.region).toBeUndefined();
  expect(all.failover.view()[0]).toMatchObject({ breaker: "closed", queues: [] });
});

test("a region that falls silent as a whole is left, though one queue was in doubt", async () => {
  const all = rig();
  all.eu.stuck = "stuck";
  await minute(all, 100);
  all.eu.does = "silent";
  expect(await all.publishWhile(PATIENCE_MS, "other")).toMatchObject({ region: "eu,us" });
  expect([all.failover.region, await all.publish("third")]).toMatchObject(["us", { tookMs: 0 }]);
});
