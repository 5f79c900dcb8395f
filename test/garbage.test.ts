import { expect, test } from "bun:test";
import { join } from "node:path";
import { benchGarbage } from "../bench/garbage.ts";
import { testDir } from "./services.ts";

test("garbage at 300 a second beside orders: each order is decided, all garbage is a dead letter, nothing is rebuilt", async () => {
  const { beside, garbage, rebuilds } = await benchGarbage({
    dir: join(testDir("garbage"), "stack"),
    seconds: 5,
    rate: 1_000,
    garbagePerSecond: 300,
    say: () => undefined,
  });
  expect(beside.accepted).toBeGreaterThan(0);
  expect([beside.undecided, beside.unanswered, rebuilds]).toEqual([0, 0, 0]);
  expect(garbage.sent).toBeGreaterThan(1_000);
  expect(garbage.dead).toBe(garbage.sent);
}, 180_000);
