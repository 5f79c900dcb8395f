import { expect, test } from "bun:test";
import { GapClock } from "./gap-clock.ts";

const GAP_MAX_MS = 600_000;
const options = { regions: ["eu", "us"], gapTimeoutMs: 30_000 };

/** A moment at which Redis's clock shows `nowMs`, of which `jumpMs` are a jump. */
const at = (nowMs: number, jumpMs = 0) => ({
  monotonicMs: nowMs - jumpMs,
  nowMs,
  gapMaxAgoMs: nowMs - jumpMs - GAP_MAX_MS,
});

test("a gap ends one timeout after every region was read past its beginning", () => {
  const clock = new GapClock(options);
  clock.read("eu", 1_000_000);
  clock.read("us", 1_000_000);
  expect(clock.cutoffMs(at(1_000_000))).toBe(400_000);
  expect(clock.cutoffMs(at(1_029_999))).toBe(429_999);
  expect(clock.cutoffMs(at(1_030_000))).toBe(1_000_000);
});

test("a region that is not read stops the clock until gapMax", () => {
  const clock = new GapClock(options);
  clock.read("us", 999_000);
  for (let now = 1_000_000; now < 1_200_000; now += 1_000) {
    clock.read("eu", now);
    expect(clock.cutoffMs(at(now))).toBeLessThan(1_000_000);
  }
  expect(clock.cutoffMs(at(1_600_000))).toBe(1_000_000);
});

test("time before a backlog was read does not count", () => {
  const clock = new GapClock(options);
  clock.read("eu", 2_000_000);
  clock.read("us", 1_990_000); // ten seconds of backlog in us
  clock.cutoffMs(at(2_000_000));
  clock.read("us", 2_000_000); // the backlog is read, twenty seconds later
  clock.cutoffMs(at(2_020_000));
  expect(clock.cutoffMs(at(2_030_000))).toBe(1_990_000);
  expect(clock.cutoffMs(at(2_050_000))).toBe(2_000_000);
});

test("a clock that jumps half a minute ahead ends no gap", () => {
  const clock = new GapClock(options);
  for (const region of options.regions) clock.read(region, 1_000_000);
  clock.cutoffMs(at(1_000_000));
  for (const region of options.regions) clock.read(region, 1_001_000);
  expect(clock.cutoffMs(at(1_031_000, 30_000))).toBeLessThan(1_000_000);
  expect(clock.cutoffMs(at(1_060_000, 30_000))).toBe(1_000_000);
});

test("after a reset every region must be read again", () => {
  const clock = new GapClock(options);
  for (const region of options.regions) clock.read(region, 1_000_000);
  clock.cutoffMs(at(1_000_000));
  clock.reset();
  expect(clock.cutoffMs(at(1_030_000))).toBe(1_030_000 - GAP_MAX_MS);
});

test("a region that is lost for good is not waited for, from one timeout later on", () => {
  const clock = new GapClock(options);
  const without = new Set(["eu"]);
  clock.read("us", 1_000_000);
  clock.cutoffMs(at(1_000_000));
  expect(clock.cutoffMs(at(1_040_000))).toBe(1_040_000 - GAP_MAX_MS);
  expect(clock.cutoffMs({ ...at(1_050_000), without })).toBeLessThan(1_000_000);
  expect(clock.cutoffMs({ ...at(1_080_000), without })).toBe(1_000_000);
});

test("a lost region that comes back is waited for again, also by a gap since then", () => {
  const clock = new GapClock(options);
  const without = new Set(["eu"]);
  clock.read("us", 1_000_000);
  clock.cutoffMs({ ...at(1_000_000), without });
  // It comes back with a backlog, in which the missing number may be.
  clock.read("us", 1_040_000);
  expect(clock.cutoffMs(at(1_040_000))).toBeLessThan(1_000_000);
  clock.read("eu", 1_040_000);
  clock.cutoffMs(at(1_041_000));
  expect(clock.cutoffMs(at(1_070_999))).toBeLessThan(1_000_000);
  expect(clock.cutoffMs(at(1_071_000))).toBe(1_040_000);
});
