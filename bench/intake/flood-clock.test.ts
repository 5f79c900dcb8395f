import { expect, test } from "bun:test";
import { FloodClock, REMEMBERED } from "./flood-clock.ts";

test("latencies count from writing an order, in the second it was written in", () => {
  let nowMs = 1_000;
  const clock = new FloodClock(2, 2, () => nowMs);
  clock.start();
  clock.sends(1, 0, 2);
  nowMs = 1_040;
  clock.heard(1, 0, "accepted");
  nowMs = 2_500;
  clock.sends(1, 2, 1);
  nowMs = 2_700;
  clock.heard(1, 2, "accepted");
  const [first, second] = clock.overTime();
  expect(first?.accepted).toMatchObject({ count: 1, max: 40 });
  expect(Math.round(second?.accepted.max ?? 0)).toBe(200);
});

test("an order whose time is no longer kept counts in nothing", () => {
  const clock = new FloodClock(1, 1, () => 0);
  clock.start();
  clock.sends(0, 0, 1);
  clock.sends(0, 1, REMEMBERED);
  clock.heard(0, 0, "decided");
  expect(clock.overTime()[0]?.decided.count).toBe(0);
});
