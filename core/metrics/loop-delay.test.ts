import { expect, test } from "bun:test";
import { VirtualRuntime } from "../runtime/testing.ts";
import { LoopDelay } from "./loop-delay.ts";

test("readers share one timer, and each has the worst delay since it last asked", async () => {
  const runtime = new VirtualRuntime();
  const one = new LoopDelay(runtime);
  const other = new LoopDelay(runtime);
  expect(runtime.timers).toBe(1);
  await runtime.advance(150);
  runtime.pass(300); // the loop is blocked
  expect(one.take()).toBe(250); // under way
  await runtime.advance(0);
  expect(other.take()).toBe(250);
  expect(other.take()).toBe(0);
  expect(one.take()).toBe(250); // the timer has fired since
  one.stop();
  expect(runtime.timers).toBe(1);
  other.stop();
  expect(runtime.timers).toBe(0);
});

test("a reader that comes after the last has gone starts the timer again", async () => {
  const runtime = new VirtualRuntime();
  new LoopDelay(runtime).stop();
  await runtime.advance(1_000);
  const later = new LoopDelay(runtime);
  await runtime.advance(1_000);
  expect(later.take()).toBe(0);
  expect(runtime.timers).toBe(1);
});
