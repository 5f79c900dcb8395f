// The page of results counts what happened, and names what did not.
import { expect, test } from "bun:test";
import { FAULTS } from "./catalogue.ts";
import type { Run } from "./records.ts";
import type { Struck } from "./scenario.ts";
import { page } from "./tables.ts";

const struck = (fault: string, atMs: number, more: Partial<Struck> = {}): Struck => ({
  ...{ fault, atMs, detail: "", evidence: "gone", failure: undefined, healedMs: atMs + 1_000 },
  ...{ recoveryMs: 2_000, recoveryLimitMs: 10_000, sinceBeginningMs: 4_000 },
  ...more,
});
const run = (name: string, faults: readonly Struck[], more: Partial<Run> = {}): Run => ({
  ...{ name, faults, startedAt: "2030-01-01T00:00:00.000Z", seed: 7, perSecond: 200, seconds: 60 },
  ...{ accepted: 1_000, answers: {}, drained: true, drainMs: 9_000, violations: 0, failures: [] },
  load: { mean: 4, most: 6 },
  ...more,
});
const rowOf = (text: string, begin: string) =>
  text.split("\n").find((line) => line.startsWith(`| ${begin}`));

test("violations of both checkers count, and a failed run shows why", () => {
  const faults = [struck("redis-wiped", 0, { evidence: undefined })];
  const text = page(
    [run("a", faults, { violations: 2, independent: 1, failures: ["I1: lost (2)"] }), run("b", [])],
    FAULTS,
  );
  expect(text).toContain("**3 violations**");
  expect(rowOf(text, "redis-wiped")).toEndWith("| 1 | 0 | 2.0 s, at most 2.0 s | 3 |");
  expect(text).toContain("| a | 2030-01-01T00:00 | 7 | I1: lost (2) |");
  expect(text).toContain("`worker-killed`"); // it has not run
  expect(text).not.toContain("`redis-wiped`");
});

test("recovery counts only faults that had the system for themselves", () => {
  const late = { sinceBeginningMs: 6_000 };
  const alone = run("a", [struck("worker-killed", 0), struck("worker-killed", 9_000, late)]);
  const mixed = run("b", [struck("worker-killed", 0), struck("redis-wiped", 500)]);
  const row = rowOf(page([alone, mixed], FAULTS), "A worker is killed");
  expect(row).toContain("| 4.0 s, at most 6.0 s | 1 of 2 |");
});
