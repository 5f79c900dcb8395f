import { expect, test } from "bun:test";
import { at } from "../core/domain/at.ts";
import { body, DEADLINE_MS, HEALTHY_MS, PATIENCE_MS, rig } from "./test-failover.ts";

test("while home answers, batches stay at home", async () => {
  const { eu, us, publish, changes } = rig();
  for (let i = 0; i < 5; i++) expect(await publish()).toMatchObject({ outcome: "confirmed" });
  expect([eu.got.length, us.got.length, changes]).toEqual([5, 0, []]);
  expect((await publish()).region).toBeUndefined();
});

test("a home that is away or has an alarm costs a batch no time", async () => {
  for (const is of ["away", "blocked"] as const) {
    const { eu, us, publish } = rig();
    eu.is = is;
    expect(await publish()).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
    expect([eu.got.length, us.got.length]).toEqual([0, 1]);
  }
});

test("a batch without a confirm goes elsewhere, the same bytes under the same id", async () => {
  const { eu, us, publishWhile } = rig();
  eu.does = "silent";
  const result = await publishWhile(PATIENCE_MS);
  expect(result).toEqual({ outcome: "confirmed", region: "eu,us", tookMs: PATIENCE_MS });
  expect(us.got).toEqual(eu.got);
  expect(at(us.got, 0).body).toBe(body);
});

test("only the first batch pays for a silent home", async () => {
  const { eu, publish, publishWhile, failover } = rig();
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  expect(failover.region).toBe("us");
  for (let i = 0; i < 20; i++)
    expect(await publish()).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
  expect(eu.got).toHaveLength(1);
});

test("batches in flight leave a silent home together with the first that gives it up", async () => {
  const { runtime, eu, publish } = rig();
  eu.does = "silent";
  const first = publish();
  await runtime.advance(PATIENCE_MS - 100);
  const second = publish();
  await runtime.advance(100);
  expect((await first).tookMs).toBe(PATIENCE_MS);
  expect((await second).tookMs).toBe(100);
});

test("it returns home once home has been healthy for a while, with one batch first", async () => {
  const { runtime, eu, us, publish, changes } = rig();
  eu.is = "away";
  await publish();
  eu.is = "up";
  await runtime.advance(HEALTHY_MS - 1_000);
  expect((await publish()).region).toBe("us");
  await runtime.advance(2_000);
  expect(changes.at(-1)).toBe("eu half-open");
  const usBefore = us.got.length;
  expect((await publish()).region).toBeUndefined();
  expect([eu.got.length, us.got.length]).toEqual([1, usBefore]);
  expect(changes).toEqual(["eu open", "eu half-open", "eu closed"]);
});

test("a home that is reached for the first time gets batches at once", async () => {
  const { runtime, eu, publish } = rig("away");
  expect((await publish()).region).toBe("us");
  await runtime.advance(1_000);
  eu.is = "up";
  expect((await publish()).region).toBeUndefined();
});

test("while one batch is on trial at home, the others go elsewhere", async () => {
  const { runtime, eu, publish, changes } = rig();
  eu.is = "away";
  await publish();
  eu.is = "up";
  await runtime.advance(HEALTHY_MS + 1_000);
  eu.does = "silent";
  const trial = publish();
  expect(await publish()).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
  await runtime.advance(PATIENCE_MS);
  expect((await trial).region).toBe("eu,us");
  expect(changes.at(-1)).toBe("eu open");
});

test("a home that fails its trial must be healthy for twice as long", async () => {
  const { runtime, eu, publish, publishWhile, failover } = rig();
  const state = () => at(failover.view(), 0).breaker;
  eu.is = "away";
  await publish();
  eu.is = "up";
  await runtime.advance(HEALTHY_MS + 1_000);
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  eu.does = "confirmed";
  await runtime.advance(HEALTHY_MS + 1_000);
  expect(state()).toBe("open");
  await runtime.advance(HEALTHY_MS);
  expect(state()).toBe("half-open");
});

test("a region is silent while it is away or does not answer, but not under an alarm", async () => {
  const { runtime, eu, publishWhile, failover } = rig();
  expect(failover.silent).toEqual([]);
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  expect(failover.silent).toEqual(["eu"]);
  eu.does = "confirmed";
  await runtime.advance(1_000);
  expect([failover.silent, failover.region]).toEqual([[], "us"]);
  eu.is = "blocked";
  await runtime.advance(1_000);
  expect(failover.silent).toEqual([]);
  eu.is = "away";
  await runtime.advance(1_000);
  expect(failover.silent).toEqual(["eu"]);
});

test("a home that comes and goes is not healthy", async () => {
  const { runtime, eu, failover, publish } = rig();
  eu.is = "away";
  await publish();
  for (let i = 0; i < 10; i++) {
    eu.is = "up";
    await runtime.advance(HEALTHY_MS - 1_000);
    eu.is = "away";
    await runtime.advance(1_000);
  }
  expect(failover.region).toBe("us");
});

test("only when no region confirms in time is a batch unknown, within the deadline", async () => {
  const { eu, us, publishWhile } = rig();
  eu.does = "silent";
  us.does = "silent";
  const result = await publishWhile(DEADLINE_MS);
  expect(result).toEqual({ outcome: "unknown", region: undefined, tookMs: DEADLINE_MS });
});

test("two regions that are not trusted share the time: a slow one still confirms", async () => {
  const { eu, us, publishWhile } = rig();
  eu.does = "silent";
  us.does = "silent";
  await publishWhile(DEADLINE_MS);
  eu.does = "confirmed";
  eu.slowMs = PATIENCE_MS * 3;
  const result = await publishWhile(DEADLINE_MS);
  expect(result).toEqual({ outcome: "confirmed", region: undefined, tookMs: PATIENCE_MS * 3 });
});

test("of two that are not trusted, the one that answers goes first", async () => {
  const { runtime, eu, us, publishWhile } = rig();
  eu.does = "silent";
  us.does = "silent";
  await publishWhile(DEADLINE_MS);
  us.does = "confirmed";
  await runtime.advance(1_000);
  const result = await publishWhile(PATIENCE_MS);
  expect(result).toEqual({ outcome: "confirmed", region: "us", tookMs: 0 });
  expect(eu.got).toHaveLength(1);
});

test("a batch in flight is not given up when no other region can take it", async () => {
  const { runtime, eu, us, publish } = rig();
  us.is = "away";
  eu.does = "silent";
  const first = publish();
  await runtime.advance(DEADLINE_MS - 100);
  eu.does = "confirmed";
  eu.slowMs = 200;
  const second = publish();
  await runtime.advance(200);
  expect((await first).outcome).toBe("unknown");
  expect(await second).toEqual({ outcome: "confirmed", region: undefined, tookMs: 200 });
});

test("a region that comes up when the time is almost over gets no batch to fail", async () => {
  const { runtime, eu, us, publish } = rig();
  us.is = "away";
  eu.does = "silent";
  const result = publish();
  await runtime.advance(DEADLINE_MS - 30);
  us.is = "up";
  us.does = "silent";
  eu.is = "away";
  eu.publisher.giveUp(); // as when its channel closes
  await runtime.advance(30);
  expect((await result).outcome).toBe("unknown");
  expect(us.got).toHaveLength(0);
});

test("a single region is always trusted: nothing would close its breaker again", async () => {
  const { runtime, eu, publish, publishWhile, changes, failover } = rig("up", true);
  eu.does = "silent";
  expect((await publishWhile(DEADLINE_MS)).outcome).toBe("unknown");
  eu.is = "away";
  expect((await publish()).outcome).toBe("unsent");
  [eu.is, eu.does] = ["up", "confirmed"];
  expect((await publish()).outcome).toBe("confirmed");
  await runtime.advance(60_000);
  expect([changes, at(failover.view(), 0).breaker]).toEqual([[], "closed"]);
});

test("unsent only if nothing left in any region", async () => {
  const { eu, us, publish, publishWhile, failover } = rig();
  [eu.is, us.is] = ["away", "blocked"];
  expect(failover.ready).toBe(false);
  expect((await publish()).outcome).toBe("unsent");
  eu.is = "up";
  eu.does = "silent";
  expect((await publishWhile(DEADLINE_MS)).outcome).toBe("unknown");
});

test("a distrusted home is still better than none", async () => {
  const { eu, us, publish, publishWhile } = rig();
  eu.does = "silent";
  await publishWhile(PATIENCE_MS);
  eu.does = "confirmed";
  us.is = "away";
  expect(await publish()).toEqual({ outcome: "confirmed", region: undefined, tookMs: 0 });
});

test("a full queue is pressure: its batch goes nowhere else", async () => {
  const { eu, us, publish, failover } = rig();
  eu.does = "nacked";
  expect((await publish()).outcome).toBe("nacked");
  expect([us.got.length, failover.region]).toEqual([0, "eu"]);
});

test("batches go elsewhere when the home region lacks the queue", async () => {
  const { eu, publish, failover } = rig();
  eu.does = "returned";
  expect(await publish()).toMatchObject({ outcome: "confirmed", region: "eu,us" });
  expect(failover.region).toBe("us");
});

test("operators see each region's state, and why and since when", async () => {
  const { runtime, eu, publishWhile, failover } = rig();
  eu.does = "silent";
  await runtime.advance(3_000);
  await publishWhile(PATIENCE_MS);
  const [home, other] = failover.view();
  expect(home).toEqual({
    ...{ region: "eu", broker: "up", breaker: "open", confirmed: 0, queues: ["0"] },
    ...{ why: "no confirm within 1000 ms", sinceMs: runtime.wallMs() },
  });
  expect(other).toMatchObject({ region: "us", breaker: "closed", confirmed: 1 });
});
