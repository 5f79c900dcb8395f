import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { Breaker } from "./breaker.ts";

function make() {
  const runtime = new VirtualRuntime();
  const states: string[] = [];
  const breaker = new Breaker({
    failures: 3,
    pauseMs: 1_000,
    maxPauseMs: 3_000,
    now: runtime.monotonicMs,
    onChange: (state) => states.push(state),
  });
  return { breaker, states, pass: (ms: number) => runtime.pass(ms) };
}

test("it opens after consecutive failures, not after failures with successes in between", () => {
  const { breaker } = make();
  for (let i = 0; i < 5; i++) {
    breaker.failed("x");
    breaker.failed("x");
    breaker.succeeded();
  }
  expect([breaker.state, breaker.waitMs()]).toEqual(["closed", 0]);
  for (let i = 0; i < 3; i++) breaker.failed("x");
  expect([breaker.state, breaker.waitMs()]).toEqual(["open", 1_000]);
});

test("after the pause one call is tried; when it succeeds all are allowed", () => {
  const { breaker, states, pass } = make();
  for (let i = 0; i < 3; i++) breaker.failed("x");
  pass(1_000);
  expect(breaker.waitMs()).toBe(0);
  expect(breaker.waitMs()).toBeGreaterThan(0);
  breaker.succeeded();
  expect([breaker.waitMs(), breaker.waitMs()]).toEqual([0, 0]);
  expect(states).toEqual(["open", "half-open", "closed"]);
});

test("each failed probe doubles the pause, up to its bound", () => {
  const { breaker, pass } = make();
  for (let i = 0; i < 3; i++) breaker.failed("x");
  const pauses: number[] = [];
  for (let i = 0; i < 3; i++) {
    pauses.push(breaker.waitMs());
    pass(breaker.waitMs());
    expect(breaker.waitMs()).toBe(0);
    breaker.failed("x");
  }
  expect(pauses).toEqual([1_000, 2_000, 3_000]);
});
