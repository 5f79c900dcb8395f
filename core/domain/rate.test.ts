import { describe, expect, test } from "bun:test";
import { crossed, judgeAge, type Rate, readRate } from "./rate.ts";

const NOW = 1_790_000_000_000;
const rate = (value: string, atMs = NOW): Rate => ({ id: "r1", pair: "EUR/USD", value, atMs });

describe("an invalid rate is refused with the name of the field:", () => {
  const good = { id: "r1", pair: "EUR/USD", value: "1.0837", atMs: NOW };
  test("a valid rate is read", () => expect(readRate({ ...good, more: 1 })).toEqual(good));
  test.each([
    [
      "value must match",
      [
        "-1.2",
        "NaN",
        "Infinity",
        "1e5",
        "1,2",
        "",
        ".5",
        "1.",
        " 1",
        "0x10",
        1.08,
        null,
        "1234567890.1",
        "1.1234567890123",
      ],
    ],
    ["value must not be zero", ["0", "0.000", "000"]],
    ["value must have at most 15 digits", ["123456789.1234567", "9999.999999999999"]],
  ])("%s", (why, values) => {
    for (const value of values) {
      const verdict = readRate({ ...good, value });
      expect(String(verdict)).toStartWith(why);
    }
  });
  test("pair", () => {
    for (const pair of ["EURUSD", "EUR/EUR", "EUR/XXX", "eur/usd", "EUR/USD/GBP", "", 1, undefined])
      expect(String(readRate({ ...good, pair }))).toStartWith("pair");
  });
  test("id, atMs", () => {
    for (const id of ["", "a b", "x".repeat(65), 1])
      expect(String(readRate({ ...good, id }))).toStartWith("id");
    for (const atMs of [0, -1, 1.5, "1", Number.NaN])
      expect(String(readRate({ ...good, atMs }))).toStartWith("atMs");
    for (const nothing of [null, undefined, "x", 3])
      expect(readRate(nothing)).toBe("not an object");
  });
});

test("a rate must be recent, and not ahead", () => {
  const judge = (atMs: number) => judgeAge(rate("1.1", atMs), NOW, 60_000);
  expect([judge(NOW - 60_000), judge(NOW - 60_001)]).toEqual(["good", "too_old"]);
  expect([judge(NOW + 60_000), judge(NOW + 60_001)]).toEqual(["good", "ahead"]);
});

test("a pair without a rate is judged by its inverse, or through another currency", () => {
  const known = new Map([
    ["EUR/USD", "1.25"],
    ["EUR/JPY", "160"],
  ]);
  expect(crossed("USD/EUR", known)).toBe("0.8");
  expect(crossed("USD/JPY", known)).toBe("128");
  expect(crossed("USD/CHF", known)).toBeUndefined();
  expect(crossed("CHF/USD", known)).toBeUndefined();
});
