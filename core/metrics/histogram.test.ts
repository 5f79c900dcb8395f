import { expect, test } from "bun:test";
import { Histogram } from "./histogram.ts";

test("a value counts in the first bucket that holds it, or past the last bound in one more", () => {
  const histogram = new Histogram([1, 2, 4]);
  for (const value of [0, 1, 1.5, 2, 4]) histogram.observe(value);
  histogram.observe(9, 3);
  expect(histogram.report()).toEqual({ bounds: [1, 2, 4], counts: [2, 2, 1, 3], sum: 8.5 + 27 });
});
