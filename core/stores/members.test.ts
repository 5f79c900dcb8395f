import { expect, test } from "bun:test";
import { testRedis } from "../../test/services.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { OWNERS_KEY, PAUSED_KEY, ROLES_KEY, WORKERS_KEY } from "./keys.ts";
import { fairShares, Members } from "./members.ts";
import { RedisStore } from "./redis.ts";

const names = (count: number) =>
  Array.from({ length: count }, () => `worker-${crypto.randomUUID().slice(0, 8)}`);

test.each([1, 2, 3, 5, 8, 11])("%i workers agree on fair shares of 8 shards", (count) => {
  for (let round = 0; round < 50; round++) {
    const workers = names(count);
    const holders = fairShares(8, workers);
    expect(holders).toHaveLength(8);
    const held = workers.map((worker) => holders.filter((holder) => holder === worker).length);
    expect(Math.max(...held)).toBe(Math.ceil(8 / count));
    expect(fairShares(8, workers.toReversed())).toEqual(holders);
  }
});

test("without workers no shard has a holder", () => {
  expect(fairShares(8, [])).toEqual([]);
});

test("most shards stay where they are when a worker joins", () => {
  let moved = 0;
  for (let round = 0; round < 100; round++) {
    const workers = names(4);
    const before = fairShares(16, workers.slice(0, 3));
    const after = fairShares(16, workers);
    moved += before.filter((holder, shard) => holder !== after[shard]).length;
  }
  // Four of sixteen must move; the cap on the shares moves a few more.
  expect(moved / 100).toBeLessThan(8);
});

test("leases from before a clock was set back are not valid", async () => {
  const { url } = await testRedis();
  const store = new RedisStore({ runtime: realRuntime, url });
  await store.connect();
  const hourAhead = Date.now() + 3_600_000;
  await store.run((c) => c.del(WORKERS_KEY, OWNERS_KEY));
  await store.run((c) => c.hset(WORKERS_KEY, "gone", `${hourAhead} {}`));
  await store.run((c) => c.hset(OWNERS_KEY, "0", `${hourAhead} gone`));
  const members = new Members(store);
  expect(await members.claim("here", 3_000, 0)).toBe("claimed");
  const { workers, owners } = await members.beat("here", 3_000, "{}", [0]);
  expect([[...workers.keys()], [...owners]]).toEqual([["here"], [[0, "here"]]]);
  await store.close();
});

test("a role from before a clock was set back is not listed until it reports again", async () => {
  const { url } = await testRedis();
  const store = new RedisStore({ runtime: realRuntime, url });
  await store.connect();
  const hourAhead = Date.now() + 3_600_000;
  await store.run((c) => c.del(WORKERS_KEY, OWNERS_KEY, ROLES_KEY, PAUSED_KEY));
  for (const role of ["dead", "alive"])
    await store.run((c) => c.hset(ROLES_KEY, role, `${hourAhead} {}`));
  await store.run((c) => c.hset(PAUSED_KEY, "alive", "ann"));
  await store.run((c) => c.hset(WORKERS_KEY, "dead worker", `${hourAhead} {}`));
  const members = new Members(store);
  expect([...(await members.roles()).keys()]).toEqual([]);
  expect(await members.show("alive", 5_000, "{}")).toBe("ann");
  expect([...(await members.roles()).keys()]).toEqual(["alive"]);
  expect([...(await members.list()).workers.keys()]).toEqual([]);
  await store.close();
});
