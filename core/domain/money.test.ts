import { expect, test } from "bun:test";
import * as table from "dinero.js/bigint/currencies";
import fc from "fast-check";
import { CURRENCIES, minorDigits } from "./currency.ts";
import { convert, moneyText } from "./money.ts";

test("minor digits are those of ISO 4217", () => {
  expect(["JPY", "KRW", "VND", "CLP", "ISK", "XAF"].map(minorDigits)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(["EUR", "USD", "GBP", "MGA", "MRU", "HUF"].map(minorDigits)).toEqual([2, 2, 2, 2, 2, 2]);
  expect(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].map(minorDigits)).toEqual([
    3, 3, 3, 3, 3, 3, 3,
  ]);
  expect(["CLF", "UYW"].map(minorDigits)).toEqual([4, 4]);
  expect(() => minorDigits("XXX")).toThrow("not a currency");
  expect([...CURRENCIES].toSorted()).toEqual(
    Object.keys(table)
      .filter((code) => code !== "XAD")
      .toSorted(),
  );
});

test("amounts are converted to another currency's minor units, half up", () => {
  expect(convert(12_345, "165.12345", "EUR", "JPY")).toBe(20_384); // 20384.489…
  expect(convert(100, "0.305", "EUR", "KWD")).toBe(305);
  expect(convert(1, "0.5", "EUR", "USD")).toBe(1); // half a cent
  expect(convert(1, "0.4999", "EUR", "USD")).toBe(0);
  expect(convert(1_000, "0.0061", "JPY", "EUR")).toBe(610);
  expect(convert(0, "2", "EUR", "USD")).toBe(0);
});

test("for any amount and rate it is the exact product, rounded half up", () => {
  const amount = fc.integer({ min: 0, max: 99_999_999_999 });
  const rate = fc.tuple(
    fc.integer({ min: 0, max: 99_999 }),
    fc.integer({ min: 1, max: 999_999_999 }),
  );
  const currency = fc.constantFrom("EUR", "JPY", "KWD", "CLF");
  fc.assert(
    fc.property(amount, rate, currency, currency, (minor, [whole, fraction], from, to) => {
      const digits = String(fraction).length;
      const numerator =
        BigInt(minor) * BigInt(`${whole}${fraction}`) * 10n ** BigInt(minorDigits(to));
      const denominator = 10n ** BigInt(digits + minorDigits(from));
      expect(convert(minor, `${whole}.${fraction}`, from, to)).toBe(
        Number((2n * numerator + denominator) / (2n * denominator)),
      );
    }),
  );
});

test("for people, an amount has its currency's digits", () => {
  expect([moneyText(2990, "EUR"), moneyText(8266, "KWD"), moneyText(1614, "JPY")]).toEqual([
    "29.90 EUR",
    "8.266 KWD",
    "1614 JPY",
  ]);
  expect([moneyText(5, "EUR"), moneyText(-5, "EUR")]).toEqual(["0.05 EUR", "-0.05 EUR"]);
});
