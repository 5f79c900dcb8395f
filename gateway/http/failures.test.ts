import { expect, test } from "bun:test";
import { Failures } from "./failures.ts";

test("ten failed requests a second are logged, and the next line counts the rest", () => {
  let nowMs = 1_000;
  const lines: Record<string, unknown>[] = [];
  const failures = new Failures({ monotonicMs: () => nowMs }, (_, detail) => lines.push(detail));
  for (let i = 0; i < 1_000; i++)
    failures.note({ method: "GET", path: `/${"x".repeat(8_000)}`, error: "gone" });
  expect(lines).toHaveLength(10);
  expect(JSON.stringify(lines).length).toBeLessThan(10 * 300);
  nowMs += 1_000;
  failures.note({ error: "gone" });
  expect(lines.at(-1)).toEqual({ error: "gone", leftOut: 990 });
  failures.note({ error: "gone" });
  expect(lines.at(-1)).toEqual({ error: "gone" });
});
