import { expect, test } from "bun:test";
import { GapClock } from "./gap-clock.ts";

const options = { regions: ["eu", "us"], gapTimeoutMs: 30_000, gapMaxMs: 600_000 };

test("a gap is over a timeout after every region was read past its beginning", () => {
  const clock = new GapClock(options);
  clock.read("eu", 1_000_000);
  clock.read("us", 1_000_000);
  expect(clock.cutoffMs(1_000_000)).toBe(400_000);
  expect(clock.cutoffMs(1_029_999)).toBe(429_999);
  expect(clock.cutoffMs(1_030_000)).toBe(1_000_000);
});

test("a region that is not read stops the clock until gapMax", () => {
  const clock = new GapClock(options);
  clock.read("us", 999_000);
  for (let now = 1_000_000; now < 1_200_000; now += 1_000) {
    clock.read("eu", now);
    expect(clock.cutoffMs(now)).toBeLessThan(1_000_000);
  }
  expect(clock.cutoffMs(1_600_000)).toBe(1_000_000);
});

test("time before a backlog was read does not count", () => {
  const clock = new GapClock(options);
  clock.read("eu", 2_000_000);
  clock.read("us", 1_990_000); // ten seconds of backlog in us
  clock.cutoffMs(2_000_000);
  clock.read("us", 2_000_000); // read through, twenty seconds later
  clock.cutoffMs(2_020_000);
  expect(clock.cutoffMs(2_030_000)).toBe(1_990_000);
  expect(clock.cutoffMs(2_050_000)).toBe(2_000_000);
});
