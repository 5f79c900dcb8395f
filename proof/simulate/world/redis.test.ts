// The simulated Redis: the real functions on a virtual clock, and content that is lost or goes
// back, as the real stores see it.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { at } from "../../../core/domain/at.ts";
import { SharedClock } from "../../../core/stores/clock.ts";
import { Members } from "../../../core/stores/members.ts";
import { RebuildStore } from "../../../core/stores/rebuild-store.ts";
import { RedisStore, StoreUnavailable } from "../../../core/stores/redis.ts";
import { testDir } from "../../../test/services.ts";
import { NO_TROUBLE } from "./link.ts";
import { REFUSALS, WorldRedis } from "./redis.ts";
import { type RedisServer, startRedisServer } from "./redis-server.ts";
import { START_MS, TestScheduler } from "./testing.ts";

let server: RedisServer;
let scheduler: TestScheduler;
let world: WorldRedis;

beforeAll(async () => {
  server = await startRedisServer(testDir("sim-redis"));
}, 30_000);
afterAll(() => server.stop());
beforeEach(() => worldOf(1));

async function worldOf(seed: number): Promise<void> {
  scheduler = new TestScheduler(seed);
  world = await WorldRedis.create(scheduler, server);
}

async function storeOf(process: string): Promise<RedisStore> {
  const runtime = scheduler.runtime();
  const dial = world.dialer(process, runtime);
  const store = new RedisStore({ runtime, url: "redis://sim", dial, callTimeoutMs: 3_000 });
  await scheduler.until(store.connect());
  return store;
}

const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  scheduler.until(
    call.then(
      () => undefined,
      (error) => error,
    ),
  );

test("functions run on the clock of the simulation, and leases end by it", async () => {
  const members = new Members(await storeOf("a"));
  const { nowMs } = await scheduler.until(members.beat("a", 3_000, "{}", [5]));
  expect(nowMs).toBe(Math.floor(scheduler.nowMs()) - Math.floor(scheduler.nowMs() - nowMs));
  expect(Math.abs(nowMs - START_MS)).toBeLessThan(100);
  expect(await scheduler.until(members.claim("b", 3_000, 5))).toBe("held");
  await scheduler.run(undefined, 3_000);
  expect(await scheduler.until(members.claim("b", 3_000, 5))).toBe("claimed");
});

test("keys expire by that clock, for plain commands too, and not before", async () => {
  const rebuilds = new RebuildStore(await storeOf("a"));
  await scheduler.until(rebuilds.announce(1, "me", 2_000));
  await scheduler.run(undefined, 1_900);
  expect(await scheduler.until(rebuilds.underWay())).toBe(true);
  await scheduler.run(undefined, 100);
  expect(await scheduler.until(rebuilds.underWay())).toBe(false);
});

test("a clock that drifts and jumps is measured as such", async () => {
  const clock = new SharedClock(await storeOf("a"), { runtime: scheduler.runtime() });
  await scheduler.until(clock.sync());
  world.driftClock(0.001);
  await scheduler.run(undefined, 10_000);
  await scheduler.until(clock.sync());
  expect(Math.abs(clock.now() - scheduler.nowMs() - 10)).toBeLessThan(2);
  world.jumpClock(3_600_000);
  await scheduler.until(clock.sync());
  expect(Math.abs((clock.jumpMs ?? 0) - 3_600_000)).toBeLessThan(10);
});

test("the content becomes an earlier copy, with its expiries; wiped, it is empty", async () => {
  const store = await storeOf("a");
  const rebuilds = new RebuildStore(store);
  await scheduler.until(rebuilds.announce(1, "me", 2_000));
  const copy = await world.copy();
  await scheduler.until(store.run((c) => c.hset("later", "a", "1")));
  await world.wipe();
  expect(await scheduler.until(rebuilds.underWay())).toBe(false);
  await world.become(copy);
  expect(await scheduler.until(rebuilds.underWay())).toBe(true);
  expect(await scheduler.until(store.run((c) => c.hgetall("later")))).toEqual({});
  await scheduler.run(undefined, 2_000);
  expect(await scheduler.until(rebuilds.underWay())).toBe(false);
});

test("a shard's keys are lost, and no others", async () => {
  const store = await storeOf("a");
  for (const key of ["{1}:meta", "{1}:outbox", "{11}:meta", "stock:demo"])
    await scheduler.until(store.run((c) => c.hset(key, "a", "1")));
  expect(await world.lose(["{1}:"])).toBe(2);
  const [, keys] = await scheduler.until(store.run((c) => c.scan("0", "MATCH", "*")));
  expect(keys).toEqual(["stock:demo", "{11}:meta"]);
});

test("lost functions are loaded again by the next call", async () => {
  const members = new Members(await storeOf("a"));
  world.loseFunctions();
  await scheduler.until(members.beat("a", 3_000, "{}", []));
  expect(scheduler.trace.some((line) => line.endsWith("a redis → function"))).toBe(true);
});

test.each(Object.entries(REFUSALS))("%s is an unavailable store until it ends", async (_, why) => {
  const members = new Members(await storeOf("a"));
  world.refusing = why;
  const failed = await errorOf(members.beat("a", 3_000, "{}", []));
  expect(failed).toBeInstanceOf(StoreUnavailable);
  expect(String(failed)).toContain(at(why.text.split(" "), 0));
  world.refusing = undefined;
  await scheduler.until(members.beat("a", 3_000, "{}", []));
});

test("a call without an answer has taken effect; the connection is redialled", async () => {
  const store = await storeOf("a");
  world.trouble = { ...NO_TROUBLE, lostAfter: 1 };
  const call = store.run((c) => c.hset("key", "a", "1"));
  expect(await errorOf(call)).toBeInstanceOf(StoreUnavailable);
  expect(store.connected).toBe(false);
  world.trouble = NO_TROUBLE;
  await scheduler.run(() => store.connected);
  expect(await scheduler.until(store.run((c) => c.hget("key", "a")))).toBe("1");
});

test("a silent Redis costs a call its deadline and its connection, and comes back", async () => {
  const store = await storeOf("a");
  world.cut("a");
  const startedMs = scheduler.nowMs();
  expect(await errorOf(store.run((c) => c.ping()))).toBeInstanceOf(StoreUnavailable);
  expect(scheduler.nowMs() - startedMs).toBeCloseTo(3_000, -1);
  world.heal("a");
  await scheduler.run(() => store.connected);
  expect(await scheduler.until(store.run((c) => c.ping()))).toBe("PONG");
});

test("what was sent into a silence may take effect at its end, given up or not", async () => {
  const found = new Set<string | null>();
  for (let seed = 1; seed <= 10; seed++) {
    await worldOf(seed);
    const store = await storeOf("a");
    world.cut("a");
    await errorOf(store.run((c) => c.hset("key", "a", "1")));
    expect(await server.send(["HGET", "key", "a"])).toBe(null);
    world.heal("a");
    found.add((await server.send(["HGET", "key", "a"])) as string | null);
  }
  expect([...found].sort()).toEqual(["1", null]);
});

test("a stopped Redis accepts nobody until it is started", async () => {
  const store = await storeOf("a");
  world.stop();
  await scheduler.run(undefined, 5_000);
  expect(store.connected).toBe(false);
  world.start();
  await scheduler.run(() => store.connected);
});

test("the same seed gives the same trace, byte for byte", async () => {
  const run = async (): Promise<string> => {
    await worldOf(5);
    const ends: string[] = [];
    const stores = [await storeOf("a"), await storeOf("b")];
    world.trouble = { ...NO_TROUBLE, lostAfter: 0.05, lostBefore: 0.05, slow: 0.1 };
    for (let round = 0; round < 30; round++) {
      const beats = stores.map((store, i) =>
        new Members(store).beat(`w${i}`, 3_000, "{}", [round % 8]).then(
          (list) => JSON.stringify([list.nowMs, [...list.workers], [...list.owners]]),
          (error) => String(error),
        ),
      );
      ends.push(...(await scheduler.until(Promise.all(beats))));
      if (round === 10) await world.become(await world.copy());
      await scheduler.run(undefined, 100);
    }
    return [...scheduler.trace, ...ends].join("\n");
  };
  expect(await run()).toBe(await run());
});
