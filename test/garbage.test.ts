import { expect, test } from "bun:test";
import { join } from "node:path";
import { benchGarbage } from "../bench/garbage.ts";
import { testDir } from "./services.ts";

test("garbage among orders: orders are decided, garbage dead-lettered, no rebuild", async () => {
  const { beside, garbage, rebuilds } = await benchGarbage({
    dir: join(testDir("garbage"), "stack"),
    seconds: 5,
    rate: 300,
    garbagePerSecond: 60,
    say: () => undefined,
  });
  expect(beside.accepted).toBeGreaterThan(0);
  expect([beside.undecided, beside.unanswered, rebuilds]).toEqual([0, 0, 0]);
  expect(garbage.sent).toBeGreaterThan(200);
  expect(garbage.dead).toBe(garbage.sent);
}, 180_000);
