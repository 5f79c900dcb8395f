import { expect, test } from "bun:test";
import type { GovernorReport, GovernorState } from "../../core/domain/report.ts";
import { LogLimit } from "./log-limit.ts";

const report = (state: GovernorState, ...reasons: string[]): GovernorReport => ({
  ...{ state, level: 0, reasons, signals: {}, eased: {} },
  transitions: { running: 0, slowed: 0, paused: 0 },
});

test("each state is logged once a minute; an operator's pause and its end always", () => {
  const limit = new LogLimit();
  const at = (s: number, ...of: Parameters<typeof report>) =>
    limit.admits(report(...of), s * 1_000);
  expect(at(0, "slowed", "redis_ms")).toBe(true);
  expect(at(2, "slowed", "redis_ms")).toBe(false);
  expect(at(4, "paused", "redis_ms")).toBe(true);
  expect(at(10, "running")).toBe(true);
  expect([at(20, "slowed"), at(30, "paused"), at(40, "running")]).toEqual([false, false, false]);
  expect([at(41, "paused", "operator"), at(42, "running")]).toEqual([true, true]);
  expect([at(61, "slowed"), at(70, "paused")]).toEqual([true, false]);
});
