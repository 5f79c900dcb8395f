import { describe, expect, test } from "bun:test";
import { judgeRate, type Rate, readRate } from "./rate.ts";

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

test("a rate must be recent, newer than the last, and within a factor of 1,000", () => {
  const judge = (next: Rate, last?: Rate) => judgeRate(next, last, NOW, 60_000);
  expect(judge(rate("1.1", NOW - 60_000))).toBe("good");
  expect(judge(rate("1.1", NOW - 60_001))).toBe("too_old");
  expect([judge(rate("1.1", NOW + 60_000)), judge(rate("1.1", NOW + 60_001))]).toEqual([
    "good",
    "ahead",
  ]);
  const last = rate("1", NOW - 1_000);
  expect(judge(rate("1.2", NOW - 1_000), last)).toBe("older");
  expect([judge(rate("999.9"), last), judge(rate("1000"), last)]).toEqual(["good", "jump"]);
  expect([judge(rate("0.0011"), last), judge(rate("0.001"), last)]).toEqual(["good", "jump"]);
  // As a division of floating point numbers this is 999.9999999999999.
  expect(judge(rate("1080"), { ...last, value: "1.08" })).toBe("jump");
});
