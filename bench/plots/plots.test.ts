import { expect, test } from "bun:test";
import type { Slice } from "../load/slices.ts";
import { short, spreadOut } from "./chart.ts";
import { momentsOf } from "./moments.ts";
import { linearScale, logScale, logScaleAt } from "./scale.ts";
import { timelinePlot } from "./timeline-plot.ts";

test("a linear axis starts at zero, has round ticks and holds its values", () => {
  const { ticks, at } = linearScale(37_400);
  expect(ticks).toEqual([0, 10_000, 20_000, 30_000, 40_000]);
  expect([at(0), at(40_000)]).toEqual([0, 1]);
  expect(linearScale(0).ticks).toContain(1);
});

test("a logarithmic axis holds its values between round ends", () => {
  const { ticks, at } = logScale(7, 812);
  expect(ticks[0]).toBeGreaterThanOrEqual(5);
  expect(at(7)).toBeGreaterThanOrEqual(0);
  expect(at(812)).toBeLessThanOrEqual(1);
  expect(at(70) - at(7)).toBeCloseTo(at(700) - at(70));
  expect(logScaleAt([1_000, 10_000]).at(10_000)).toBe(1);
});

test("labels that would overlap move apart and stay within the panel", () => {
  expect(spreadOut([10, 12, 100], 0, 110)).toEqual([10, 25, 100]);
  const low = spreadOut([96, 98, 100], 0, 100);
  expect(low).toEqual([70, 85, 100]);
});

test("numbers have as many digits as a plot can use", () => {
  expect([0.123, 2, 3.26, 41.7, 812.3, 24_000].map(short)).toEqual([
    ...["0.12", "2", "3.3", "42", "812", "24,000"],
  ]);
});

const no = { count: 0, p50: 0, p99: 0, max: 0 };
const slice = (fromS: number, p50: number): Slice => ({
  ...{ fromS, accepted: { count: 1, p50, p99: 9, max: 9 }, decided: no, refused: no },
});
const report = (seconds: number, sent: number, decided: number) => ({
  ...{ seconds, sent, accepted: sent, decided, refused: {} },
});

test("a moment has the rates of its own second, not means since the start", () => {
  const reports = [report(1, 100, 50), report(2.01, 302, 250)];
  const moments = momentsOf(reports, [slice(0, 5), slice(1, 6)]);
  expect(moments.map(({ atS, sent, waiting }) => ({ atS, sent, waiting }))).toEqual([
    { atS: 1, sent: 100, waiting: 50 },
    { atS: 2, sent: 200, waiting: 52 },
  ]);
  expect(moments.map(({ acceptedP50 }) => acceptedP50)).toEqual([5, 6]);
  expect(moments[0]?.decidedP50).toBeUndefined();
});

test("a plot labels each line, follows both colour schemes, and escapes text", () => {
  const moments = momentsOf([report(1, 100, 50), report(2, 300, 250)], [slice(0, 5), slice(1, 6)]);
  const svg = timelinePlot("A & B", "5 < 6", moments);
  expect(svg).toContain("prefers-color-scheme: dark");
  expect(svg).toContain("A &amp; B");
  expect(svg).toContain("waiting 50");
  expect(svg).toContain("orders a second");
  expect(svg).not.toContain("refused");
  expect(svg).not.toContain("NaN");
});
