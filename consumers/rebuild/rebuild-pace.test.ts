import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { RebuildPace } from "./rebuild-pace.ts";

const runtime = new VirtualRuntime();
const { monotonicMs } = runtime;
const pace = () => new RebuildPace({ monotonicMs, random: () => 0.5 });

/** Rebuilds fail as often as they may. Returns the pauses between them, ms. */
function pauses(of: RebuildPace, count: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const beganAt = monotonicMs();
    while (!of.mayBegin(i + 1)) runtime.pass(100);
    found.push(monotonicMs() - beganAt);
    of.ended(i + 2);
  }
  return found;
}

test("the first rebuild begins at once; each pause after that is twice as long, up to 30 s", () => {
  expect(pauses(pace(), 9)).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("a Redis that held for a minute may be rebuilt at once", () => {
  const of = pace();
  pauses(of, 5);
  runtime.pass(60_001);
  expect(of.mayBegin(6)).toBe(true);
  expect(of.repeated).toBe(0);
});

test("rebuilds by other workers count: their incarnations show them", () => {
  const of = pace();
  expect(of.mayBegin(1)).toBe(true);
  expect(of.mayBegin(4)).toBe(false);
  expect(of.restMs).toBe(2_000);
  expect(of.mayBegin(4)).toBe(false);
  runtime.pass(2_000);
  expect(of.mayBegin(4)).toBe(true);
});

test("a rebuild that fails before it raises the incarnation counts too", () => {
  const of = pace();
  expect(of.mayBegin(1)).toBe(true);
  of.ended(1);
  of.ended(1);
  expect(of.restMs).toBe(1_000);
  of.whole();
  expect(of.mayBegin(1)).toBe(true);
});
