import { expect, test } from "bun:test";
import { VirtualRuntime } from "../runtime/testing.ts";
import { SharedClock } from "./clock.ts";

const HOUR_MS = 3_600_000;
const START_MS = 1_800_000_000_000;

/** A clock whose sources the test sets: Redis, and both clocks of this process. */
function clocks() {
  const runtime = new VirtualRuntime();
  const at = { redis: START_MS };
  const events: string[] = [];
  const clock = new SharedClock(undefined, {
    runtime,
    read: async () => at.redis,
    log: (event) => events.push(event),
  });
  const pass = (ms: number) => {
    runtime.pass(ms);
    at.redis += ms;
  };
  /** Lets time pass, measuring every two seconds. */
  const watch = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 2_000) {
      pass(2_000);
      await clock.sync();
    }
  };
  return { at, runtime, clock, events, pass, watch };
}

test("small differences are followed at once", async () => {
  const { at, clock } = clocks();
  at.redis += 700;
  await clock.sync();
  expect([clock.now(), clock.jumpMs]).toEqual([START_MS + 700, undefined]);
});

test.each([HOUR_MS, -HOUR_MS])("a jump of %d ms is seen and not followed", async (jumpMs) => {
  const { at, clock, events, watch } = clocks();
  await clock.sync();
  at.redis += jumpMs;
  await watch(120_000);
  expect([clock.now(), clock.jumpMs]).toEqual([START_MS + 120_000, jumpMs]);
  at.redis -= jumpMs; // the operator sets it right
  await watch(2_000);
  expect([clock.now(), clock.jumpMs]).toEqual([START_MS + 122_000, undefined]);
  expect(events).toEqual(["clock jumped", "clock right again"]);
});

test("the first measurement may differ by as much as machines do, but not by an hour", async () => {
  const [near, far] = [clocks(), clocks()];
  near.at.redis += 20_000;
  far.at.redis += HOUR_MS;
  await Promise.all([near.clock.sync(), far.clock.sync()]);
  expect([near.clock.now(), near.clock.jumpMs]).toEqual([START_MS + 20_000, undefined]);
  expect([far.clock.now(), far.clock.jumpMs]).toEqual([START_MS, HOUR_MS]);
});

test("a wall clock that jumps alone changes nothing", async () => {
  const { runtime, clock, watch } = clocks();
  await clock.sync();
  runtime.jumpWall(HOUR_MS);
  await watch(120_000);
  expect([clock.now(), clock.jumpMs]).toEqual([START_MS + 120_000, undefined]);
});

test("a new time that this machine's clock confirms is followed once it is steady", async () => {
  const { at, runtime, clock, watch } = clocks();
  await clock.sync();
  at.redis += HOUR_MS;
  runtime.jumpWall(HOUR_MS);
  await watch(28_000);
  expect(clock.jumpMs).toBe(HOUR_MS);
  at.redis += 3_000; // not steady: the watch starts over
  runtime.jumpWall(3_000);
  await watch(30_000);
  expect(clock.jumpMs).toBe(HOUR_MS + 3_000);
  await watch(4_000);
  expect([clock.jumpMs, clock.now()]).toEqual([undefined, START_MS + HOUR_MS + 65_000]);
  expect(clock.followed).toBe(1);
});

test("after a step forwards nothing counts as having lasted longer than it has", async () => {
  const { at, runtime, clock, pass, watch } = clocks();
  await clock.sync();
  const stampMs = clock.now(); // something begins
  at.redis += HOUR_MS;
  runtime.jumpWall(HOUR_MS);
  await watch(34_000);
  expect(clock.followed).toBe(1);
  expect(clock.ago(60_000)).toBeLessThan(stampMs);
  pass(26_000); // a minute in all
  expect(clock.ago(60_000)).toBeGreaterThanOrEqual(stampMs);
});

test("after a step backwards nothing that begins now ends at once", async () => {
  const { at, runtime, clock, pass, watch } = clocks();
  await clock.sync();
  at.redis -= HOUR_MS;
  runtime.jumpWall(-HOUR_MS);
  await watch(34_000);
  expect(clock.followed).toBe(1);
  const stampMs = clock.now();
  pass(59_000);
  expect(clock.ago(60_000)).toBeLessThan(stampMs);
  pass(1_000);
  expect(clock.ago(60_000)).toBe(stampMs);
});

test("a measurement that took too long is ignored", async () => {
  const runtime = new VirtualRuntime();
  const clock = new SharedClock(undefined, {
    runtime,
    read: async () => {
      runtime.pass(20_000);
      return START_MS + 9_000;
    },
  });
  await clock.sync();
  expect([clock.now(), clock.jumpMs]).toEqual([START_MS + 20_000, undefined]);
});
