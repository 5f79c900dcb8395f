// Snapshots in a running system: the worker makes them while it works, and Redis is rebuilt from
// them.
import { afterEach, expect, test } from "bun:test";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const SLOW_MS = 60_000;
let stack: Stack;
afterEach(async () => stack?.stop());

test(
  "a worker makes snapshots of its shards while it runs, and Redis is rebuilt from them",
  async () => {
    stack = await Stack.start({ env: { SLUICE_SNAPSHOT_ENTRIES: "3" } });
    await stack.sale({ a: 5 }, { limitPerUser: 2 });
    const { worker } = await stack.worker("w1");
    await stack.until("all shards owned", () => worker.shards.length === SHARDS);
    const made = () => stack.events.filter((e) => e.event === "snapshot made");
    const user = userOf(0);
    const order = async (more: { seq?: number } = {}, of = user) => {
      const { order, row } = makeOrder(of, { a: 1 }, more);
      await stack.publish(0, [row]);
      return (await stack.decided(of, order.id)).state;
    };
    const before = [await order(), await order(), await order(), await order({ seq: 2 })];
    expect(before).toEqual(["reserved", "reserved", "over_limit", "parked"]);
    await stack.until("a snapshot", () => made().length > 0, 30_000);
    expect(stack.events.filter((e) => e.event === "snapshot failed")).toEqual([]);
    expect(await order({}, userOf(0, 1))).toBe("reserved");
    const client = await stack.client();
    await client.client.flushall();
    await client.close();
    expect(await order({ seq: 1 })).toBe("over_limit");
    expect([await order({}, userOf(0, 1)), await order({}, userOf(0, 2))]).toEqual([
      "reserved",
      "reserved",
    ]);
    expect(await order({}, userOf(0, 3))).toBe("sold_out");
    expect(stack.events.filter((e) => e.event === "snapshot skipped")).toEqual([]);
  },
  SLOW_MS,
);
