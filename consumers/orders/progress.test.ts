import { expect, test } from "bun:test";
import { Progress } from "./progress.ts";

test("lag is that of the oldest timestamp; a queue not looked at or lost is unknown", () => {
  const progress = new Progress(["eu", "us"]);
  const eu = () => progress.report(10_000)[0];
  expect(eu()).toEqual({ region: "eu", ready: null, lookedAtMs: 0, lagMs: 0 });
  progress.ready("eu", 4, 9_000);
  // A payment worker's answer, which has no timestamp, then two orders.
  const went = [0, 7_000, 8_000].map((stamp) => progress.came("eu", stamp));
  expect(eu()).toEqual({ region: "eu", ready: 4, lookedAtMs: 9_000, lagMs: 3_000 });
  expect([progress.inFlight("eu"), progress.inFlight("us")]).toEqual([3, 0]);
  went[1]?.();
  expect(eu()).toMatchObject({ lagMs: 2_000 });
  progress.lost("eu");
  expect(eu()).toMatchObject({ ready: null, lagMs: 0 });
});

test("how many are ready is unknown once nobody has looked for a while", () => {
  const progress = new Progress(["eu"]);
  progress.ready("eu", 0, 9_000);
  const readyAt = (nowMs: number) => progress.report(nowMs)[0]?.ready;
  expect([readyAt(15_000), readyAt(60_000)]).toEqual([0, null]);
});

test("what was in flight on a lost channel does not settle what comes again", () => {
  const progress = new Progress(["eu"]);
  const went = progress.came("eu", 7_000);
  progress.lost("eu");
  const again = progress.came("eu", 7_000);
  went();
  expect(progress.inFlight("eu")).toBe(1);
  again();
  expect(progress.inFlight("eu")).toBe(0);
});
