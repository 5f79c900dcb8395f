// What the page calculates and says: money as it will be charged, and each state in its tone.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { CURRENCIES, minorDigits } from "../../core/domain/currency.ts";
import { convert as charged } from "../../core/domain/money.ts";
import { OPEN_STATES, TERMINAL_STATES } from "../../core/domain/outcome.ts";
import { ceiling, convert, currenciesFor, currentRate, decimal, typed } from "./money.ts";
import { STEPS, stepOf, wordsBefore, wordsFor, wordsOfEvent } from "./words.ts";

const NOW = Date.parse("2027-01-31T10:00:00Z");
const rate = (pair: string, until: string) => ({ pair, value: "2", at: until, until });

test("a converted price is what the product would charge at the same rate", () => {
  const currency = fc.constantFrom(...CURRENCIES);
  const value = fc.tuple(
    fc.integer({ min: 1, max: 999_999 }),
    fc.integer({ min: 0, max: 999_999 }),
  );
  const agree = fc.property(
    ...[fc.integer({ min: 0, max: 100_000_000 }), value, currency, currency],
    (minor, [whole, fraction], from, to) => {
      const text = `${whole}.${String(fraction).padStart(6, "0")}`;
      const shown = convert(minor, text, minorDigits(from), minorDigits(to));
      expect(shown).toBe(charged(minor, text, from, to));
    },
  );
  fc.assert(agree, { numRuns: 500 });
});

test.each([
  ["12.34", 2, 1_234],
  [" 12,3 ", 2, 1_230],
  ["491", 0, 491],
  ["0.005", 3, 5],
  ["491.5", 0, undefined],
  ["1.234", 2, undefined],
  ["1,000.00", 2, undefined],
  ["0", 2, undefined],
  ["-1", 2, undefined],
  ["", 2, undefined],
  ["a lot", 2, undefined],
])("the amount '%s' with %d digits is %p", (text, digits, minor) => {
  expect(typed(text, digits)).toBe(minor);
  if (minor !== undefined) expect(typed(decimal(minor, digits), digits)).toBe(minor);
});

test("the proposed maximum is two percent above the price, rounded up", () => {
  expect([ceiling(100), ceiling(491), ceiling(1), ceiling(0)]).toEqual([102, 501, 2, 0]);
});

test("a rate that orders are no longer decided by offers no price", () => {
  const rates = [rate("EUR/JPY", "2027-01-31T10:00:01Z"), rate("EUR/USD", "2027-01-31T10:00:00Z")];
  expect(currentRate(rates, "EUR", "JPY", NOW)?.value).toBe("2");
  expect(currentRate(rates, "EUR", "USD", NOW)).toBeUndefined();
  expect(currenciesFor(rates, "EUR", NOW)).toEqual(["EUR", "JPY"]);
});

test("sold out and its like are told calmly, and only trouble as trouble", () => {
  const tones = Map.groupBy([...OPEN_STATES, ...TERMINAL_STATES], (state) => wordsFor(state).tone);
  expect(tones.get("wait")).toEqual([...OPEN_STATES]);
  expect(tones.get("good")).toEqual(["dispatched"]);
  const calm = ["sold_out", "over_limit", "over_max_total", "sale_closed", "unknown_item"];
  expect(tones.get("calm")).toEqual([...calm, "cancelled"] as never);
  expect(tones.get("trouble")).toHaveLength(6);
});

test("what is in doubt is never told as nothing", () => {
  expect(wordsBefore("unsure", "no answer").text).not.toContain("Nothing");
  expect(wordsFor("cancelled", { events: [{ event: "paid" }] }).text).toContain("on its way back");
  expect(wordsFor("cancelled").text).toContain("Nothing was charged");
  const doubtful = wordsFor("payment_failed", { events: [{ event: "charge_unknown" }] });
  expect(doubtful.text).not.toContain("Nothing was charged");
});

test("the place in line, what an order waits for, and its steps are told", () => {
  const estimate = { position: 7, seconds: 2.4 };
  expect(wordsFor("accepted", { estimate }).text).toContain("7 orders are ahead of it: about 2 s");
  expect(wordsFor("parked", { waitsFor: "rate" }).text).toContain("exchange rate");
  expect(wordsFor("reserved", { waitsFor: "earlier_charge" }).text).toContain("earlier order");
  expect(OPEN_STATES.map(stepOf)).toEqual([0, 0, 1, 2]);
  expect([STEPS[stepOf("dispatched")], stepOf("sold_out")]).toEqual(["On its way", -1]);
  expect([wordsOfEvent("charge_failed"), wordsOfEvent("some_word")]).toEqual([
    "A charge failed; it is tried again",
    "Some word",
  ]);
});
