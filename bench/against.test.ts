import { expect, test } from "bun:test";
import { comparison } from "./against.ts";

test("figures that both results have are compared; others are left out", () => {
  const lines = comparison(
    "Against",
    ["before", "now"],
    { a: 50, b: 0, c: 1 },
    { a: 25, b: 3, d: 1 },
  );
  expect(lines.slice(-2)).toEqual(["| a | 50.0 | 25.0 | 0.50× |", "| b | 0.0 | 3.0 |  |"]);
  expect(comparison("Against", ["before", "now"], { a: 1 }, { b: 1 })).toEqual([]);
});
